"""Recognise image files that hold several images, of which the model sees the first, without decoding them."""

from __future__ import annotations

FIRST_OF_SEVERAL = "the file holds several images, and only the first was used"
# Segments before a JPEG's pixels have at most 64 KiB each, and the segment that lists other images comes early.
_JPEG_HEAD = 2**17
_MOST_GIF_BLOCKS = 100_000


def holds_several(data: bytes) -> bool:
    """Tell whether a JPEG (MPO), PNG, GIF or WebP file holds several images."""
    if data.startswith(b"\xff\xd8"):
        # CIPA DC-007, the `Multi-Picture Format`: the file has an APP2 segment that begins with MPF.
        return data.find(b"MPF\0", 0, _JPEG_HEAD) >= 0
    if data.startswith(b"RIFF"):
        # The flags of the extended header; the second bit means animation.
        return data[8:16] == b"WEBPVP8X" and bool(data[20] & 2) if len(data) > 20 else False
    if data.startswith(b"\x89PNG"):
        return 0 <= data.find(b"acTL", 0, 2**16) < max(data.find(b"IDAT", 0, 2**16), 0)
    return data.startswith(b"GIF8") and _gif_has_two(data)


def _gif_has_two(data: bytes) -> bool:
    """Follow the blocks up to the second image (GIF89a, sections 15 to 27)."""
    try:
        at = 13 + _colours(data[10])
        pictures = 0
        for _ in range(_MOST_GIF_BLOCKS):
            mark = data[at]
            if mark == 0x2C:
                pictures += 1
                if pictures == 2:
                    return True
                at += 11 + _colours(data[at + 9])
            elif mark == 0x21:
                at += 2
            else:
                return False
            while data[at]:
                at += data[at] + 1
            at += 1
    except IndexError:
        pass
    return False


def _colours(flags: int) -> int:
    """Return the size of a colour table in bytes."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
