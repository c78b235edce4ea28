"""EXIF orientation: honoured in both byte orders, and never a reason to fail."""

import struct

import numpy as np
import pytest

from support.decoding import HEIGHT, WIDTH, decode
from support.photographs import encoded, image
from support.reference import pixels


def tiff(orientation: int, order: str, *, entries: int = 3, offset: int = 8, kind: int = 3) -> bytes:
    """EXIF with the orientation as its last entry."""
    first = b"".join(struct.pack(order + "HHII", 0x0100 + i, 4, 1, 7) for i in range(entries - 1))
    last = struct.pack(order + "HHIHH", 0x0112, kind, 1, orientation, 0)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, offset)
    no_further_directory = b"\0" * 4
    return head + b"\0" * (offset - 8) + struct.pack(order + "H", entries) + first + last + no_further_directory


def photograph(exif: bytes) -> bytes:
    return encoded(image(), "JPEG", exif=b"Exif\0\0" + exif)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(orientation: int, order: str) -> None:
    data = photograph(tiff(orientation, order, offset=12))
    status, found = decode(data)
    assert status == [0]
    assert np.abs(found[0] - pixels(data, HEIGHT, WIDTH)).max() <= 1


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_large_photograph_is_turned_upright_too(orientation: int) -> None:
    data = encoded(image().resize((1804, 1200)), "JPEG", exif=b"Exif\0\0" + tiff(orientation, "<"))
    _, found = decode(data)
    assert np.abs(found[0] - pixels(data, HEIGHT, WIDTH)).mean() <= 1


MALFORMED = {
    "empty": b"",
    "only a byte order": b"II",
    "an unknown byte order": b"XX" + tiff(6, "<")[2:],
    "a directory beyond the end": struct.pack("<2sHI", b"II", 42, 0x7FFFFFFF),
    "a directory at the very end": struct.pack("<2sHI", b"II", 42, 8),
    "more entries than bytes": tiff(1, "<")[:8] + struct.pack("<H", 0xFFFF) + tiff(1, "<")[10:],
    "orientation 0": tiff(0, "<"),
    "orientation 9": tiff(9, ">"),
    "orientation of another type": tiff(6, "<", kind=4),
    "cut inside an entry": tiff(6, "<")[:-7],
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_exif_leaves_the_photograph_as_it_lies(case: str) -> None:
    plain = decode(encoded(image(), "JPEG"))[1]
    status, found = decode(photograph(MALFORMED[case]))
    assert status == [0]
    assert np.array_equal(found, plain)


def test_a_segment_that_reaches_beyond_the_file_is_not_followed() -> None:
    data = encoded(image(), "JPEG")
    assert decode(data[:2] + b"\xff\xe5\xff\xff")[0] == [1]
