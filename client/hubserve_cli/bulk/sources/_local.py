"""Images in folders of this machine, and those that a pattern matches."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator

from . import _archives
from ._choice import Choice
from ._items import Image, unreadable


def below(folder: str, choice: Choice) -> Iterator[Image]:
    """Return images below a folder, in the order of their names, so that every run and every machine has the same.

    The names of one folder at a time are in memory. Links to files are followed, links to folders are not: they can
    lead in circles.
    """
    failures: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=failures.append):
        yield from _reported(failures)
        folders.sort()
        files.sort()
        yield from (path for name in files if choice.takes(path := os.path.join(parent, name)))
    yield from _reported(failures)


def matches(pattern: str, choice: Choice) -> Iterator[Image]:
    """Return files that a pattern matches, and what is in those that are archives, in the order of the file system."""
    for match in glob.iglob(pattern, recursive=True):
        if _archives.is_archive(match) and os.path.isfile(match):
            yield from _archives.in_file(match, choice)
        # A link to nothing matches too, and is reported when it is read.
        elif not os.path.isdir(match):
            yield match


def _reported(failures: list[OSError]) -> Iterator[Image]:
    for failure in failures:
        yield unreadable(os.fsdecode(failure.filename), f"the folder cannot be read ({failure.strerror})")
    failures.clear()
