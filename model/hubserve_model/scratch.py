"""Make folders for unfinished work. If a program is killed, the next run removes its folder.

A folder in use is locked by its process with flock(2). The kernel releases the lock when the process ends, however it
ends. So a folder that can be locked is abandoned, and the folder of a running process is never touched. If the file
system does not support such locks (some network file systems, Windows), no folder is removed.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

PREFIX = "hubserve-"
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@contextmanager
def scratch_folder(parent: Path, prefix: str, mode: int = 0o777) -> Iterator[Path]:
    """Provide an empty folder `<prefix><uuid>` in `parent`, and remove it at the end unless it was renamed.

    Abandoned folders with the same prefix are removed first.

    Args:
        parent: The parent folder; made if it is missing.
        prefix: Distinguishes hubserve's folders from others, and this use from other uses.
        mode: The folder's permissions, before the umask.

    Raises:
        OSError: The folder cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent, prefix)
    folder, lock = _make(parent, prefix, mode)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def private_folder(parent: str | None = None) -> AbstractContextManager[Path]:
    """Return a scratch folder that other users cannot read, by default in the system's temporary folder (TMPDIR)."""
    return scratch_folder(Path(parent or tempfile.gettempdir()), PREFIX, 0o700)


def sweep(parent: Path, prefix: str) -> None:
    """Remove abandoned folders with this prefix; those that cannot be removed stay."""
    ours = re.compile(re.escape(prefix) + _UUID)
    for folder in sorted(parent.iterdir()):
        if ours.fullmatch(folder.name):
            with suppress(OSError):
                lock = _lock(folder)
                try:
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(lock)


def _make(parent: Path, prefix: str, mode: int) -> tuple[Path, int | None]:
    while True:
        folder = parent / f"{prefix}{uuid.uuid4()}"
        folder.mkdir(mode)
        try:
            lock = _lock(folder)
        except (BlockingIOError, FileNotFoundError):
            # Another process's sweep ran between making and locking, and removes this folder.
            continue
        except OSError:
            return folder, None
        if folder.exists():
            return folder, lock
        os.close(lock)


def _lock(folder: Path) -> int:
    """Lock a folder for as long as the returned descriptor is open.

    Raises:
        BlockingIOError: Another process holds the lock.
        OSError: The folder is missing, or the file system does not support locks.
    """
    try:
        import fcntl
    except ImportError as error:
        raise OSError("this system does not have flock") from error

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
