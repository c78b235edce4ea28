"""A file that records are added to: however the program ends, it holds whole records, except perhaps the last one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from ...common.files import sync_folder

_BUFFER_BYTES = 2**16
_BUFFER_SECONDS = 0.5
# The most that a power failure can cost: images whose records are younger are classified again.
_SYNC_SECONDS = 5.0


class OutputError(click.ClickException):
    """The output cannot be written, or must not be. Its content stays."""


class RecordFile:
    """Add records at the end of a file, which no other run may write at the same time.

    Records go to the system together, after half a second or 64 KiB, and to the disk (fsync) every five seconds and at
    the end. A program that is killed loses the records that it still holds; a machine without power, those of five
    seconds. If the disk is full, the file is cut after its last whole record.

    Args:
        path: The file.
        end: The end of its last whole record, after which the file is cut. None: the file must not exist yet.
        size: The size of the file when its records were read.

    Raises:
        OutputError: The file cannot be written, or another run writes it.
    """

    def __init__(self, path: Path, end: int | None, size: int = 0) -> None:
        self._path = path
        self._end = end or 0
        self._buffer: list[bytes] = []
        self._bytes = 0
        self._written = self._synced = time.monotonic()
        new = os.O_CREAT | os.O_EXCL if end is None else 0
        try:
            self._descriptor = os.open(path, os.O_WRONLY | new | getattr(os, "O_BINARY", 0), 0o666)
        except FileExistsError as error:
            raise OutputError(
                f"another run has begun to write {path}: give another --output, or go on with --resume after its end"
            ) from error
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}): give another --output") from error
        try:
            self._lock()
            # The records were read before the file was locked.
            if os.fstat(self._descriptor).st_size != size:
                raise OutputError(f"another run wrote to {path} in the meantime: run the command again with --resume")
            os.ftruncate(self._descriptor, self._end)
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            sync_folder(path)
        except BaseException:
            os.close(self._descriptor)
            raise

    def write(self, record: bytes) -> None:
        """Add a record.

        Raises:
            OutputError: There is no room for it, or the file can no longer be written.
        """
        self._buffer.append(record)
        self._bytes += len(record)
        now = time.monotonic()
        if self._bytes >= _BUFFER_BYTES or now - self._written >= _BUFFER_SECONDS:
            self._write()
            self._written = now
            if now - self._synced >= _SYNC_SECONDS:
                self._sync()
                self._synced = now

    def flush(self) -> None:
        """Write everything to the disk, and go on.

        Raises:
            OutputError: As for `write`.
        """
        self._write()
        self._sync()

    def close(self) -> None:
        """Write everything to the disk.

        Raises:
            OutputError: As for `write`.
        """
        if self._descriptor < 0:
            return
        try:
            self._write()
            self._sync()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self) -> None:
        records, self._buffer, self._bytes = self._buffer, [], 0
        data = memoryview(b"".join(records))
        done = 0
        try:
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
        except OSError as error:
            self._fail(error, records, done)
        self._end += len(data)

    def _sync(self) -> None:
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            self._fail(error, [], 0)

    def _fail(self, error: OSError, records: list[bytes], done: int) -> None:
        """Keep the whole records that were written, and cut off the rest."""
        for record in records:
            if done < len(record):
                break
            done -= len(record)
            self._end += len(record)
        os.ftruncate(self._descriptor, self._end)
        raise OutputError(
            f"{self._path} cannot be written any further ({error.strerror}): its records are whole; make room, and go "
            "on with --resume"
        ) from error

    def _lock(self) -> None:
        # A system without it is refused before.
        import fcntl

        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"another run is writing {self._path}: wait for its end, or give another --output"
            ) from error
        except OSError:
            # A file system without locks.
            return
