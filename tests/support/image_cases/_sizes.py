"""Sizes that must be resized, from one pixel to 12 million, and files of no known format."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from support.image_cases._case import Case, photograph
from support.image_files import tiff
from support.photographs import CHELSEA, CHINA, GRACE_HOPPER, encoded, image, mirrored

# Pillow rounds its resized pixels to whole levels; the model gets them as they are.
_ROUNDING = 1.0
_ROUNDED = 0.5
# What libjpeg leaves out when it decodes at a part of the size, after the resize to less than half of that: of
# photographs at their own sharpness, and of the finest pattern that there is.
_SCALED = 16.0
_SCALED_MEAN = 1.6
_FINEST = 20.0
_FINEST_MEAN = 12.5
# The input of a large model, PNASNet's.
_SIDE = 331


def _large(ratio: int, file: Path) -> bytes:
    """A JPEG just large enough for this scale."""
    side = 2 * _SIDE * ratio
    return encoded(mirrored(side, side, file), "JPEG", quality=90)


def _twelve_megapixels(**options: object) -> bytes:
    return encoded(mirrored(4032, 3024), "JPEG", quality=90, **options)


def _scaled(name: str, data: Callable[[], bytes], largest: float = _SCALED, mean: float = _SCALED_MEAN) -> Case:
    return Case(f"JPEG, {name}", data, largest=largest, mean=mean, size=(_SIDE, _SIDE))


def _chequer() -> bytes:
    """Red and black, pixel by pixel."""
    samples = np.zeros((4 * _SIDE, 4 * _SIDE, 3), np.uint8)
    samples[::2, ::2, 0] = samples[1::2, 1::2, 0] = 255
    return encoded(Image.fromarray(samples), "JPEG", quality=90)


def _orange(form: str) -> bytes:
    return encoded(Image.new("RGB", (1, 1), (200, 120, 30)), form)


CASES = [
    *(
        Case(f"{name}, 1 x 1", lambda form=form: _orange(form))
        for name, form in [("JPEG", "JPEG"), ("PNG", "PNG"), ("GIF", "GIF"), ("BMP", "BMP"), ("WebP", "WEBP")]
    ),
    Case("PNG, 451 x 300", CHELSEA.read_bytes, largest=_ROUNDING, mean=_ROUNDED),
    Case("JPEG, 512 x 600", GRACE_HOPPER.read_bytes, largest=_ROUNDING, mean=_ROUNDED),
    Case(
        "PNG, 20 x 16, enlarged",
        lambda: encoded(photograph().resize((20, 16)), "PNG"),
        largest=_ROUNDING,
        mean=_ROUNDED,
    ),
    Case("PNG, 1 x 20000", lambda: encoded(image().resize((1, 20000)), "PNG"), largest=_ROUNDING, mean=_ROUNDED),
    Case("PNG, 20000 x 1", lambda: encoded(image().resize((20000, 1)), "PNG"), largest=_ROUNDING, mean=_ROUNDED),
    Case("JPEG, 1 x 20000", lambda: encoded(image().resize((1, 20000)), "JPEG"), largest=_ROUNDING, mean=_ROUNDED),
    *(
        _scaled(f"decoded at 1/{ratio}, {name}", lambda ratio=ratio, file=file: _large(ratio, file))
        for ratio in (2, 4, 8)
        for name, file in [("a landscape", CHINA), ("a portrait", GRACE_HOPPER)]
    ),
    _scaled("decoded at 1/2, a chequer of single pixels", _chequer, _FINEST, _FINEST_MEAN),
    _scaled("12 megapixels", _twelve_megapixels),
    _scaled("12 megapixels, progressive", lambda: _twelve_megapixels(progressive=True)),
    *(
        _scaled(f"12 megapixels, EXIF orientation {n}", lambda n=n: _twelve_megapixels(exif=b"Exif\0\0" + tiff(n)))
        for n in (3, 6)
    ),
    Case(
        "PNG, 12 megapixels",
        lambda: encoded(mirrored(4032, 3024), "PNG", compress_level=1),
        largest=_ROUNDING,
        mean=_ROUNDED,
    ),
    Case("empty", lambda: b"", status=1),
    Case("text", lambda: b"not an image, though long enough to look into " * 3, status=1),
    Case("TIFF", lambda: encoded(photograph(), "TIFF"), status=1),
    Case("ICO", lambda: encoded(photograph(), "ICO"), status=1),
    Case("JPEG 2000", lambda: encoded(photograph(), "JPEG2000"), status=1),
    Case("PPM", lambda: encoded(photograph(), "PPM"), status=1),
]
