"""BMP: depths, headers, masks, compression."""

import itertools

import numpy as np
from PIL import Image

from support import image_files
from support.image_cases._case import Case, palette_picture, photograph, transparent
from support.image_files import bmp
from support.photographs import encoded

_SIZE = (80, 96)
_RGB = (0xFF0000, 0xFF00, 0xFF)
_ALPHA = (*_RGB, 0xFF000000)


def _rows(picture: Image.Image) -> list[bytes]:
    """From the bottom, blue first."""
    samples = np.asarray(picture)
    if samples.ndim == 3:
        samples = samples[..., [2, 1, 0, 3][: samples.shape[2]]]
    return [row.tobytes() for row in samples[::-1]]


def _top_down() -> bytes:
    return bmp(_rows(photograph())[::-1], (80, -96), 24)


def _indexed(bits: int) -> bytes:
    """A palette of 1, 4 or 8 bits."""
    picture = palette_picture(2**bits)
    digits = np.unpackbits(np.asarray(picture)[::-1, :, None], axis=2)[..., 8 - bits :]
    rows = [row.tobytes() for row in np.packbits(digits.reshape(96, -1), axis=1)]
    return bmp(rows, _SIZE, bits, palette=image_files.bmp_palette(picture).ljust(4 * 2**bits, b"\0"))


def _run_lengths() -> bytes:
    """RLE8."""
    picture = palette_picture(256)
    rows = [
        b"".join(bytes([len(list(run)), index]) for index, run in itertools.groupby(row)) + b"\0\0"
        for row in _rows(picture)
    ]
    joined = b"".join(rows)[:-2] + b"\0\1"
    return bmp([joined], _SIZE, 8, palette=image_files.bmp_palette(picture), compression=1)


def _sixteen_bits(*masks: int) -> bytes:
    samples = np.asarray(photograph())[::-1].astype(np.uint16) >> 3
    pixels = samples[..., 0] << 10 | samples[..., 1] << 5 | samples[..., 2]
    return bmp([row.tobytes() for row in pixels], _SIZE, 16, compression=3 if masks else 0, masks=masks)


CASES = [
    Case("BMP, 24 bits", lambda: encoded(photograph(), "BMP")),
    Case(
        "BMP, 24 bits, rows that need padding",
        lambda: encoded(photograph().crop((0, 0, 79, 96)), "BMP"),
        largest=1,
        mean=0.5,
    ),
    Case("BMP, 24 bits, rows from the top", _top_down),
    Case("BMP, 32 bits", lambda: bmp(_rows(transparent()), _SIZE, 32)),
    *(
        Case(
            f"BMP, {bits} bits, header of {header}",
            lambda header=header, bits=bits, picture=picture: bmp(_rows(picture()), _SIZE, bits, header=header),
        )
        for bits, picture in [(24, photograph), (32, transparent)]
        for header in (108, 124)
    ),
    Case("BMP, 32 bits with masks", lambda: bmp(_rows(transparent()), _SIZE, 32, compression=3, masks=_RGB)),
    *(
        Case(
            f"BMP, 32 bits with a mask of alpha, header of {header}",
            lambda header=header: bmp(_rows(transparent()), _SIZE, 32, header=header, compression=3, masks=_ALPHA),
        )
        for header in (56, 108, 124)
    ),
    Case(
        "BMP, 32 bits with other masks",
        lambda: bmp(_rows(transparent()), _SIZE, 32, compression=3, masks=_RGB[::-1]),
        status=1,
    ),
    Case("BMP, palette of 256", lambda: encoded(palette_picture(256), "BMP")),
    Case("BMP, palette of 50", lambda: encoded(palette_picture(50), "BMP")),
    Case("BMP, grayscale", lambda: encoded(photograph().convert("L"), "BMP")),
    Case(
        "BMP, palette of 256, header of 124",
        lambda: bmp(
            _rows(palette_picture(256)), _SIZE, 8, header=124, palette=image_files.bmp_palette(palette_picture(256))
        ),
    ),
    Case("BMP, bytes after the end", lambda: encoded(photograph(), "BMP") + b"\0\0"),
    Case("BMP, rows from the top, bytes after the end", lambda: _top_down() + b"trailer"),
    Case("BMP, palette of 256, bytes after the end", lambda: encoded(palette_picture(256), "BMP") + bytes(1000)),
    Case("BMP, 1 bit", lambda: _indexed(1), status=1),
    Case("BMP, 4 bits", lambda: _indexed(4), status=1),
    Case("BMP, run lengths", _run_lengths, status=1),
    Case("BMP, 16 bits", _sixteen_bits, status=1),
    Case("BMP, 16 bits with masks", lambda: _sixteen_bits(0x7C00, 0x3E0, 0x1F), status=1),
    Case("BMP, OS/2 header", lambda: bmp(_rows(photograph()), _SIZE, 24, header=12), status=1),
]
