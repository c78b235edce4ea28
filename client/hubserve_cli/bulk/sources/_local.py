"""Images on this machine: in folders, files that match a pattern, and paths on standard input."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from hubserve.internals import Choice, not_a_path, short_name

from . import _archives, _remote
from ._items import Image, unreadable

_CHUNK = 2**16


def matches(pattern: str, choice: Choice) -> Iterator[Image]:
    """Return the files that match a pattern, and the images in archives among them, in the file system's order."""
    for match in glob.iglob(pattern, recursive=True):
        if _archives.is_archive(match) and os.path.isfile(match):
            yield from _archives.in_file(match, choice)
        # A link to a file that does not exist matches too: reading it fails, and the record says so.
        elif not os.path.isdir(match):
            yield match


def listed(*, null: bool) -> Iterator[Image]:
    """Return each path on standard input as it comes. Names are read as bytes: they need not be UTF-8."""
    separated = _between(sys.stdin.buffer, b"\0" if null else b"\n")
    return map(_image, map(os.fsdecode, separated))


def _image(name: str) -> Image:
    # A text that cannot be a path is shortened in records and errors.
    if (short := short_name(name)) != name:
        return unreadable(short, not_a_path(name) or "this is not a path")
    return _remote.file(name) if _remote.is_url(name) else name


def _between(file: BinaryIO, separator: bytes) -> Iterator[bytes]:
    """Return the pieces between separators, without empty ones."""
    rest = b""
    # read1 returns what is there, so that the first images are sent while `find` still searches.
    while chunk := (file.read1(_CHUNK) if isinstance(file, io.BufferedReader) else file.read(_CHUNK)):
        *whole, rest = (rest + chunk).split(separator)
        yield from filter(None, whole)
    if rest:
        yield rest
