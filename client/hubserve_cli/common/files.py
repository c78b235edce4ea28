"""Files that are there whole, or as they were before."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write, which takes the place of `path` when the context ends well, and is gone when it does not.

    Its contents and its name are on the disk then. It has the mode of any new file.

    Raises:
        OSError: It cannot be written.
    """
    # Of this process: another one that writes the same file does not write into this one.
    scratch = path.with_name(f".{path.name[:100]}.{os.getpid()}.tmp")
    try:
        with scratch.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise
    sync_folder(path)


def sync_folder(path: Path) -> None:
    """Have a file's name on the disk, where the system can do that."""
    # Some systems open no folders, and some network file systems do not sync them.
    with contextlib.suppress(OSError):
        descriptor = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
