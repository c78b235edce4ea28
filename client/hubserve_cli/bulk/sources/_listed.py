"""Images whose paths and URLs come on standard input, as `find` or a database writes them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from hubserve.internals import not_a_path, short_name

from . import _remote
from ._items import Image, unreadable

_CHUNK = 2**16


def paths(*, null: bool) -> Iterator[Image]:
    """Give each path as it comes. It is taken as bytes: a name need not be UTF-8."""
    separated = _between(sys.stdin.buffer, b"\0" if null else b"\n")
    return map(_image, map(os.fsdecode, separated))


def _image(name: str) -> Image:
    # What no system takes for a path is not written into records and errors whole.
    if (short := short_name(name)) != name:
        return unreadable(short, not_a_path(name) or "this is not a path")
    return _remote.file(name) if _remote.is_url(name) else name


def _between(file: BinaryIO, separator: bytes) -> Iterator[bytes]:
    """Return the pieces between separators that are not empty."""
    rest = b""
    # read1 gives what is there, so that the first paths are at work while `find` still looks for more.
    while chunk := (file.read1(_CHUNK) if isinstance(file, io.BufferedReader) else file.read(_CHUNK)):
        *whole, rest = (rest + chunk).split(separator)
        yield from filter(None, whole)
    if rest:
        yield rest
