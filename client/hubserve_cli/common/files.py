"""Files that are replaced whole, or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Provide a file to write, which replaces `path` if the context ends without an error, and is removed otherwise.

    Its contents and its name are on the disk at the end. It has the mode of any new file.

    Raises:
        OSError: It cannot be written.
    """
    # The name contains the process, so that two runs that write the same file do not share it.
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
    """Write the name of a file to the disk, if the system can do that."""
    # Some systems cannot open folders, and some network file systems cannot sync them.
    with contextlib.suppress(OSError):
        descriptor = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
