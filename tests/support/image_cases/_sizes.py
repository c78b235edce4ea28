"""Sizes that must be resized, from one pixel to 12 million, and files of no known format."""

from PIL import Image

from support.decoding import HEIGHT
from support.image_cases._case import Case, photograph
from support.image_files import tiff
from support.photographs import CHELSEA, GRACE_HOPPER, encoded, image

# Pillow rounds its resized pixels to whole levels; the model gets them as they are.
_ROUNDING = 1.0
_ROUNDED = 0.5
# What libjpeg leaves out when it decodes at a part of the size, after the resize to less than half of that.
_SCALED = 6.0
_SCALED_MEAN = 0.6


def _large(ratio: int) -> bytes:
    """A JPEG just large enough for this scale."""
    size = (2 * HEIGHT * ratio + 40, 2 * HEIGHT * ratio + 200)
    return encoded(image().resize(size if ratio > 2 else (1200, 1000), Image.Resampling.BICUBIC), "JPEG", quality=90)


def _twelve_megapixels(**options: object) -> bytes:
    return encoded(image().resize((4032, 3024), Image.Resampling.BICUBIC), "JPEG", quality=90, **options)


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
        Case(f"JPEG, decoded at 1/{ratio}", lambda ratio=ratio: _large(ratio), largest=_SCALED, mean=_SCALED_MEAN)
        for ratio in (2, 4, 8)
    ),
    Case("JPEG, 12 megapixels", _twelve_megapixels, largest=_SCALED, mean=_SCALED_MEAN),
    Case(
        "JPEG, 12 megapixels, progressive",
        lambda: _twelve_megapixels(progressive=True),
        largest=_SCALED,
        mean=_SCALED_MEAN,
    ),
    *(
        Case(
            f"JPEG, 12 megapixels, EXIF orientation {n}",
            lambda n=n: _twelve_megapixels(exif=b"Exif\0\0" + tiff(n)),
            largest=_SCALED,
            mean=_SCALED_MEAN,
        )
        for n in (3, 6)
    ),
    Case(
        "PNG, 12 megapixels",
        lambda: encoded(image().resize((4032, 3024)), "PNG", compress_level=1),
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
