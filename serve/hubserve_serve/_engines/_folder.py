"""A folder for a server's files while it runs, which a later start removes where SIGKILL left it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of no other folders: what is not locked is removed.
_PREFIX = "hubserve-s-"
# A folder is locked right after it is made; one that is younger may not be locked yet.
_YOUNG_SECONDS = 60.0


@contextlib.contextmanager
def server_folder(parent: str | None = None) -> Iterator[Path]:
    """Make a folder, and remove it at the end, or when a later server starts.

    It is locked as long as this process lives. Folders of this user that nobody has locked are of processes that were
    killed; they are removed.

    Args:
        parent: Where to make it; by default where the system has temporary files.
    """
    base = Path(parent or tempfile.gettempdir())
    _remove_left_ones(base)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=base) as name, _locked(Path(name)):
        yield Path(name)


def _remove_left_ones(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            about = folder.lstat()
            if about.st_uid != os.getuid() or time.time() - about.st_mtime < _YOUNG_SECONDS or folder.is_symlink():
                continue
            with _locked(folder):
                shutil.rmtree(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder.

    Raises:
        OSError: Another process has it locked, or it is not a folder.
    """
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
