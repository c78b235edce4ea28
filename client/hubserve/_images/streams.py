"""Read the bytes of binary files of every kind: a file, a pipe, a socket, a caller's object with `read`."""

from __future__ import annotations

import inspect
import io
from typing import Any

from .._errors import ImageError
from .kinds import HEAD_BYTES, OTHER, Reader, kind_of


def contents(stream: Any, most: int) -> bytes:
    """Read a stream from its position to its end, or to one byte more than `most`.

    A pipe or a socket may return less than was asked for; reading continues.

    Raises:
        ImageError: The stream is open for text or for writing, is at its end or inside an image, or its `read` does
            not return bytes.
    """
    start = _place(stream)
    parts: list[bytes] = []
    left = most + 1
    while left > 0 and (part := _part(stream, left)):
        parts.append(part)
        left -= len(part)
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    if not data and start:
        raise ImageError("nothing is left to read, because it was read or written to its end: call seek(0) first")
    if start and kind_of(data) is OTHER and _is_image_from_its_beginning(stream):
        raise ImageError(f"its first {start:,} bytes were read before: call seek(0) first")
    return data


def _part(stream: Any, size: int) -> bytes:
    try:
        part = stream.read(size)
    except io.UnsupportedOperation as error:
        raise ImageError('the file is not open for reading: open it with mode "rb"') from error
    if isinstance(part, bytes):
        return part
    if isinstance(part, bytearray | memoryview):
        return bytes(part)
    if isinstance(part, str):
        raise ImageError('the file is open for text: open it with mode "rb"')
    if part is None:
        raise ImageError("its read() returned None, because the stream does not block: read it, and give the bytes")
    if inspect.iscoroutine(part):
        part.close()
        raise ImageError("its read() is a coroutine: await it, and give the bytes")
    raise ImageError(f"its read() gives {type(part).__name__}, not bytes: read it yourself, and give the bytes")


def _place(stream: Any) -> int:
    try:
        place = stream.tell()
    # Some streams do not know their position.
    except (AttributeError, OSError, ValueError):
        return 0
    return place if isinstance(place, int) else 0


def _is_image_from_its_beginning(stream: Any) -> bool:
    try:
        stream.seek(0)
        return kind_of(stream.read(HEAD_BYTES)).reader is not Reader.NOBODY
    except (AttributeError, OSError, ValueError):
        return False
