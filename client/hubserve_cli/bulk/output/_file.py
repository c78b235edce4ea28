"""A file that records are added to: whatever ends the program, it holds whole records, and at most a torn last one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from ...common.files import sync_folder

_BUFFER_BYTES = 2**16
_BUFFER_SECONDS = 0.5
# What a machine that loses its power may cost: the images of so long are asked for again.
_SYNC_SECONDS = 5.0


class OutputError(click.ClickException):
    """The output cannot be written, or must not be. What is in it stays."""


class RecordFile:
    """Adds records at the end of a file, which nobody else may do meanwhile.

    Records go to the system together, after half a second or 64 KiB, and to the disk (fsync) every five seconds and at
    the end. A program that is killed loses those that it still holds; a machine that loses its power, those of five
    seconds. When the disk is full, the file is cut after its last whole record.

    Args:
        path: The file.
        end: How much of it to keep: where its last whole record ends. None: it must not be there yet.
        size: How large it was when its records were read.

    Raises:
        OutputError: It cannot be written, or another run writes it.
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
            # Its records were read before it was locked.
            if os.fstat(self._descriptor).st_size != size:
                raise OutputError(f"another run has written {path} meanwhile: go on with --resume once more")
            os.ftruncate(self._descriptor, self._end)
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            sync_folder(path)
        except BaseException:
            os.close(self._descriptor)
            raise

    def write(self, record: bytes) -> None:
        """Add a record.

        Raises:
            OutputError: There is no room for it, or the file cannot be written any more.
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

    def close(self) -> None:
        """Have all of it on the disk.

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
        """Keep what is whole of what was written, and cut the rest off."""
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
        # Where it is missing, the command says so before.
        import fcntl

        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"another run is writing {self._path}: wait for its end, or give another --output"
            ) from error
        except OSError:
            # A file system that knows no locks.
            return
