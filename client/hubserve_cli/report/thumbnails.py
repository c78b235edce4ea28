"""Thumbnails of images, made by Pillow within bounds for any image."""

from __future__ import annotations

import base64
import io
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from hubserve.internals import Reader, converted, kind_of

if TYPE_CHECKING:
    from PIL import Image

# Limits of the file and of its pixels: larger images get no thumbnail. Two are decoded at a time, with at most 4 bytes
# a pixel.
_MAX_BYTES = 64 * 2**20
_MAX_PIXELS = 64_000_000
# Images that take more than a few MB are decoded one at a time.
_LARGE_PIXELS = 4_000_000
# A progressive JPEG may have thousands of scans, each of which costs a pass over the whole image. Cameras write ten.
_MAX_SCANS = 64
_QUALITY = 60
_one_large_at_a_time = threading.Lock()


def of_file(path: str, side: int, *, convert: bool = False) -> tuple[str, tuple[int, int]] | None:
    """Return the thumbnail of a file; None: it is not a file or not an image of the usual kinds, or is too large."""
    try:
        # Checked before the file is opened: opening a pipe waits for a program that writes into it.
        about = os.stat(path)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MAX_BYTES:
            return None
        return of_bytes(Path(path).read_bytes(), side, convert=convert)
    except (OSError, ValueError):
        return None


def of_bytes(data: bytes, side: int, *, convert: bool = False) -> tuple[str, tuple[int, int]] | None:
    """Return a thumbnail as a data URL, upright, and the image's own width and height; None: it cannot be made.

    Args:
        data: An image file.
        side: The most pixels of the thumbnail's longer side.
        convert: Convert formats that the models do not decode, as the client did before it sent the image.
    """
    from PIL import ImageOps

    # The data of a JPEG scan never contains FF DA, so this counts its scans, and those of a preview in its EXIF.
    if len(data) > _MAX_BYTES or (data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > _MAX_SCANS):
        return None
    try:
        if convert and (kind := kind_of(data)).reader is Reader.CLIENT:
            made = converted(io.BytesIO(data), kind, side)
            found = of_bytes(made.data, side)
            return found and (found[0], made.size or found[1])
        with _opened(data) as opened:
            pixels = opened.width * opened.height
            if pixels > _MAX_PIXELS:
                return None
            if pixels > _LARGE_PIXELS:
                with _one_large_at_a_time:
                    small, size = _shrunk(opened, side)
            else:
                small, size = _shrunk(opened, side)
            upright = ImageOps.exif_transpose(small)
            if upright.size == small.size[::-1] and upright.size != small.size:
                size = size[::-1]
            return _data_url(_on_white(upright)), size
    # Pillow's readers raise errors of many kinds for a broken file.
    except Exception:  # noqa: BLE001
        return None


def _opened(data: bytes) -> Image.Image:
    """Open an image of the formats that the models decode: Pillow reads more, some of them with other programs.

    `Image.open` would warn of images that are too large for a thumbnail anyway.

    Raises:
        ValueError: The format is another one. Pillow's readers raise other errors too.
    """
    from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    plugins = (JpegImagePlugin, PngImagePlugin, GifImagePlugin, BmpImagePlugin, WebPImagePlugin)
    for form in (plugin.__name__.removeprefix("PIL.").removesuffix("ImagePlugin").upper() for plugin in plugins):
        factory, accept = Image.OPEN.get(form, (None, None))
        if factory is not None and accept is not None and accept(data[:16]) is True:
            return factory(io.BytesIO(data), "")
    raise ValueError("neither JPEG, PNG, GIF, BMP nor WebP")


def _shrunk(image: Image.Image, side: int) -> tuple[Image.Image, tuple[int, int]]:
    size = image.size
    # A JPEG is decoded at an eighth, a quarter or half of its size, if that is at least twice the needed size.
    image.draft("RGB", (2 * side, 2 * side))
    if image.mode in ("P", "1") or "transparency" in image.info:
        # Neighbouring numbers of a palette are not neighbouring colours.
        image = image.convert("RGBA")
    elif image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    image.thumbnail((side, side))
    return image, size


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _data_url(image: Image.Image) -> str:
    from PIL import features

    # WebP files are half as large. Not every build of Pillow has it.
    form = "webp" if features.check("webp") else "jpeg"
    file = io.BytesIO()
    image.save(file, form, quality=_QUALITY)
    return f"data:image/{form};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
