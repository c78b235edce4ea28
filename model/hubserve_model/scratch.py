"""Make folders for unfinished work. A killed program leaves one, and the next run removes it.

A folder in use is locked by its maker with flock(2). The kernel gives the lock up with the process, however that ends,
so a folder that can be locked belongs to nobody, and a folder of a run that is still under way is never touched. Where
the file system knows no such lock (some network file systems, Windows), nothing is swept.
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
    """Give an empty folder `<prefix><uuid>` in `parent`, and gone afterwards unless it was renamed meanwhile.

    Folders of that prefix whose makers are dead go first.

    Args:
        parent: Made where it is missing.
        prefix: Tells our folders from others', and this use from other uses.
        mode: The folder's permissions, less the umask.

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
    """Return a scratch folder that no other user can read, by default in the system's temporary one (TMPDIR)."""
    return scratch_folder(Path(parent or tempfile.gettempdir()), PREFIX, 0o700)


def sweep(parent: Path, prefix: str) -> None:
    """Remove the folders of that prefix whose makers are dead; what cannot be removed stays."""
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
            # Another run's sweep came between making and locking, and takes this one for abandoned.
            continue
        except OSError:
            return folder, None
        if folder.exists():
            return folder, lock
        os.close(lock)


def _lock(folder: Path) -> int:
    """Lock a folder for as long as the descriptor that it returns is open.

    Raises:
        BlockingIOError: Another process has it.
        OSError: There is no such folder, or no such lock.
    """
    try:
        import fcntl
    except ImportError as error:
        raise OSError("this system has no flock") from error

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
