"""Check before a run that its page can be written at the end."""

from __future__ import annotations

import os
from pathlib import Path

from ..common.exit_codes import MissingExtraError, WrongUsageError
from . import document


class PlaceError(WrongUsageError):
    """The page cannot be written to the given file."""


def require_pillow() -> None:
    """Check that Pillow is installed.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("a page's thumbnails need Pillow", "html") from error


def require_place(file: Path) -> None:
    """Check that a page can be written.

    Raises:
        PlaceError: The file cannot be written, or exists and is not such a page.
    """
    if file.is_dir():
        raise PlaceError(f"the page {file} is a folder: name a file in it, such as {file / 'run.html'}")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise PlaceError(f"the page {file} cannot be written: make the folder {file.parent}, or let it be written to")
    if file.exists() and not document.is_page(file):
        raise PlaceError(f"{file} exists, and is not a page that hubserve wrote: name another file")
