"""Convert files that the server does not read: `converted(file, HEIC)` gives a JPEG or a PNG."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from ..._errors import ImageError, UsageError
from ..kinds import RAW, TIFF, Kind
from ._room import Room

if TYPE_CHECKING:
    import PIL.Image

    from ._pictures import Picture
    from ._tiff import Tiff

# Phones make 12.5 megapixels, and a model looks at less than one: larger images are not sent.
_MOST_SENT_PIXELS = 13_000_000
# Up to this size the file is a PNG, which loses nothing.
_MOST_PNG_PIXELS = 1_000_000
_LONGEST_JPEG_SIDE = 65_000
_JPEG = {"quality": 95, "subsampling": 0}
# EXIF orientations that exchange width and height.
_SIDEWAYS = frozenset({5, 6, 7, 8})
_room = Room(2 * _MOST_SENT_PIXELS)


class Converted(NamedTuple):
    """A file that the server reads.

    Attributes:
        data: The file.
        several: Whether the original file holds more than one image.
        size: Width and height of the original image, upright; None: as in `data`.
    """

    data: bytes
    several: bool
    size: tuple[int, int] | None


def check_convert(convert: bool) -> None:
    """Refuse to convert if the packages for it are not installed.

    Raises:
        UsageError: Pillow or pillow-heif is not installed.
    """
    if convert and (find_spec("PIL") is None or find_spec("pillow_heif") is None):
        raise UsageError('convert=True needs Pillow and pillow-heif: pip install "hubserve[photos]"')


def converted(file: BinaryIO, kind: Kind, size: int = 0) -> Converted:
    """Convert a file into one that the server reads.

    The image is upright, in sRGB or gray, over white, with 8 bits. Of several images the file holds the first. An image
    of more than 13 megapixels is made smaller by a whole factor, each pixel the mean of a square. Up to a megapixel the
    file is a PNG, else a JPEG of quality 95 without colour subsampling. From a RAW file, the largest preview is taken.

    Args:
        file: A seekable file.
        kind: A kind with `Reader.CLIENT`.
        size: The fewest pixels to keep on each side; 0: all.

    Raises:
        ImageError: The file cannot be converted.
    """
    try:
        if kind is RAW:
            from . import _raw

            return Converted(_raw.preview(file), False, None)
        picture = _opened(file, kind)
        with _room.for_(picture.width * picture.height):
            shown = picture.width, picture.height
            if picture.orientation in _SIDEWAYS:
                shown = shown[::-1]
            return Converted(_written(_assembled(picture, size)), picture.several, shown)
    except ImageError as error:
        raise ImageError(f"this is {kind.words} that cannot be converted: {error}") from error
    # Pillow and libheif raise all kinds of errors about broken files.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"this is {kind.words} that cannot be converted ({reason})") from error


def _opened(file: BinaryIO, kind: Kind) -> Tiff | Picture:
    if kind is TIFF:
        from ._tiff import Tiff

        return Tiff(file)
    from ._pictures import Picture

    return Picture(file, kind, _MOST_SENT_PIXELS)


def _assembled(picture: Tiff | Picture, size: int) -> PIL.Image.Image:
    """Return the whole image, as it is sent."""
    from PIL import Image, ImageOps

    from ._colors import Colors

    factor = 1
    while -(-picture.width // factor) * -(-picture.height // factor) > _MOST_SENT_PIXELS:
        factor += 1
    if size:
        factor = max(factor, min(picture.width, picture.height) // size)
    colors = Colors(picture.icc)
    whole: PIL.Image.Image | None = None
    top = 0
    for band in _in_steps(picture.bands(), factor):
        shown = colors.of(band)
        small = shown.reduce(factor) if factor > 1 else shown
        if whole is None:
            whole = Image.new(small.mode, (small.width, -(-picture.height // factor)))
        whole.paste(small, (0, top))
        top += small.height
    if whole is None:
        raise ImageError("it has no pixels")
    exif = Image.Exif()
    exif[0x0112] = picture.orientation
    whole.info["exif"] = exif.tobytes()
    upright = ImageOps.exif_transpose(whole)
    upright.info.clear()
    return upright


def _in_steps(bands: Iterator[PIL.Image.Image], step: int) -> Iterator[PIL.Image.Image]:
    """Return the same rows in bands whose height is a multiple of the step, except for the last band."""
    if step == 1:
        yield from bands
        return
    rest: PIL.Image.Image | None = None
    for band in bands:
        joined = band if rest is None else _below(rest, band)
        whole = joined.height // step * step
        if whole:
            yield joined.crop((0, 0, joined.width, whole))
        rest = joined.crop((0, whole, joined.width, joined.height)) if whole < joined.height else None
    if rest is not None:
        yield rest


def _below(upper: PIL.Image.Image, lower: PIL.Image.Image) -> PIL.Image.Image:
    joined = lower.crop((0, -upper.height, lower.width, lower.height))
    joined.paste(upper, (0, 0))
    return joined


def _written(image: PIL.Image.Image) -> bytes:
    file = io.BytesIO()
    if image.width * image.height <= _MOST_PNG_PIXELS or max(image.size) > _LONGEST_JPEG_SIDE:
        image.save(file, "PNG", compress_level=1)
    else:
        image.save(file, "JPEG", **_JPEG)
    return file.getvalue()
