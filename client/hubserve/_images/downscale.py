"""Downscale photographs before they are sent: a model needs a few hundred pixels, a camera makes thousands.

A JPEG is decoded at a half, a quarter or an eighth of its size, as libjpeg does by taking fewer coefficients of each
block ("DCT scaling"), and encoded again. A server with hubserve's model decodes photographs in the same way. So the
server receives less, and decodes fewer coefficients.
"""

from __future__ import annotations

import io
import logging
from importlib.util import find_spec

from .._errors import CallError, UnsuitableModel, UsageError
from ..wire.model_info import ModelMetadata

_log = logging.getLogger("hubserve")
# Twice the model's input: the server's antialiased resize then gives nearly the same pixels.
_MARGIN = 2
_FACTORS = (8, 4, 2)
# The default limit of models. The server refuses larger images, and progressive ones would need too much memory.
_MOST_PIXELS = 64_000_000
_JPEG = b"\xff\xd8\xff"
_ORIENTATION = 0x0112
# No colour subsampling: at this size it would lose visible colour, and save little.
_QUALITY = {"quality": 90, "subsampling": 0}


def check_shrink(shrink: bool | int) -> None:
    """Refuse a size that is not valid, and refuse to downscale without Pillow.

    Raises:
        UsageError: `shrink` is not True or a positive int, or Pillow is not installed.
    """
    if shrink is False:
        return
    if not isinstance(shrink, int) or shrink < 1:
        raise UsageError(f"shrink must be True or the fewest pixels to keep on each side, not {shrink!r}")
    if find_spec("PIL") is None:
        raise UsageError('shrink= needs Pillow: pip install "hubserve[shrink]"')


def unknown_size(error: CallError) -> int:
    """Return 0 (no downscaling) while the model's input size is unknown, because the server does not answer."""
    _log.warning("images are not downscaled, because the size of the model's input is not known: %s", error)
    return 0


def size_for(metadata: ModelMetadata) -> int:
    """Return the pixels to keep on each side for a model: twice the longer side of its input.

    Raises:
        UnsuitableModel: The metadata do not give the size of the input.
    """
    signature = metadata.signatures.get("images")
    shape = signature.inputs["images"].shape if signature and "images" in signature.inputs else None
    sides = (shape or ())[1:3]
    known = [side for side in sides if side is not None]
    if len(known) != 2:
        raise UnsuitableModel(
            f"model {metadata.name} does not say how large its input is (signature images, input images): "
            "give shrink=SIZE, the fewest pixels to keep on each side"
        )
    return _MARGIN * max(known)


def shrunk(data: bytes, size: int) -> bytes:
    """Downscale a photograph: `shrunk(jpeg, 448)`.

    Args:
        data: An image's file.
        size: The fewest pixels to keep on each side.

    Returns:
        A JPEG of a half, a quarter or an eighth of the width and height, with the same EXIF orientation and without
        other metadata. The data are returned unchanged if they are not a JPEG of one or three colours, cannot be
        read, or are small enough: the server decides about such files.
    """
    if not data.startswith(_JPEG):
        return data
    from PIL import Image, JpegImagePlugin

    try:
        # Image.open would warn of large photographs.
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
        width, height = image.size
        factor = next((factor for factor in _FACTORS if min(width, height) >= size * factor), 1)
        if factor == 1 or width * height > _MOST_PIXELS or image.mode not in ("L", "RGB"):
            return data
        exif = Image.Exif()
        if (orientation := image.getexif().get(_ORIENTATION)) is not None:
            exif[_ORIENTATION] = orientation
        image.draft(image.mode, (width // factor, height // factor))
        smaller = io.BytesIO()
        image.save(smaller, "JPEG", **_QUALITY, exif=exif, icc_profile=None)
    # Pillow raises all kinds of errors about broken files.
    except Exception:  # noqa: BLE001
        return data
    return smaller.getvalue() if smaller.tell() < len(data) else data
