"""Find the largest JPEG preview inside a camera's RAW file, as the camera shows the photograph."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ..._errors import ImageError

_START, _END = b"\xff\xd8\xff", b"\xff\xd9"
# Frame headers of JPEGs that decoders read. A RAW file may also hold the sensor's pixels as a lossless JPEG (0xC3).
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_OTHER_FRAMES = frozenset({0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_SCAN = 0xDA
_ORIENTATION = 0x0112
_MOST_SEGMENTS = 200


class _Preview(NamedTuple):
    pixels: int
    start: int
    scan: int
    turned: bool


def preview(file: BinaryIO) -> bytes:
    """Return the largest preview as a JPEG file, with the photograph's EXIF orientation.

    Raises:
        ImageError: The file does not have a preview.
    """
    data: bytes | mmap.mmap
    try:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        # The object is not a file of the operating system.
        file.seek(0)
        data = file.read()
    largest = max(_previews(data), default=None)
    if largest is None:
        raise ImageError(
            "this is a camera's RAW file without a JPEG preview: convert it to JPEG with the camera maker's program"
        )
    end = data.find(_END, largest.scan)
    jpeg = bytes(data[largest.start : len(data) if end < 0 else end + 2])
    orientation = 1 if largest.turned else _orientation(data)
    return jpeg[:2] + _exif(orientation) + jpeg[2:] if orientation != 1 else jpeg


def _previews(data: bytes | mmap.mmap) -> Iterator[_Preview]:
    at = data.find(_START)
    while at >= 0:
        found = _preview(data, at)
        if found is not None:
            yield found
        # Images inside a preview, such as its EXIF thumbnail, are smaller than the preview.
        at = data.find(_START, found.scan if found else at + 2)


def _preview(data: bytes | mmap.mmap, start: int) -> _Preview | None:
    """Read a JPEG's segments up to its scan; return None if this is not a JPEG that decoders read."""
    at, pixels, turned = start + 2, 0, False
    for _ in range(_MOST_SEGMENTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            return None
        marker = data[at + 1]
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if length < 2 or marker in _OTHER_FRAMES:
            return None
        if marker in _FRAMES:
            bits, height, width = struct.unpack(">BHH", data[at + 4 : at + 9])
            pixels = height * width if bits == 8 else 0
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            turned = True
        if marker == _SCAN:
            return _Preview(pixels, start, at, turned) if pixels else None
        at += 2 + length
    return None


def _orientation(data: bytes | mmap.mmap) -> int:
    """Return the orientation in the first directory of a TIFF-like RAW file; 1 for other files."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None:
        return 1
    try:
        (at,) = struct.unpack(f"{order}I", data[4:8])
        (count,) = struct.unpack(f"{order}H", data[at : at + 2])
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack(f"{order}HHIH", data[entry : entry + 10])
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _exif(orientation: int) -> bytes:
    """Return an APP1 segment that holds only an orientation."""
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, _ORIENTATION, 3, 1, orientation, 0, 0)
    content = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
