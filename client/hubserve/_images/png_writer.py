"""Write numpy arrays, and Pillow images of every mode, as PNG files."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

from .._errors import ImageError
from .eight_bit import Levels

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray

# Pillow's names of the modes that PNG holds without loss.
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
# Modes that Pillow converts without loss of what is visible.
_SAME_AS = {"CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "RGBX": "RGB", "RGBa": "RGBA", "La": "LA", "PA": "RGBA"}
_DEEP_MODES = frozenset({"I", "F", "I;16B", "I;16L", "I;16N"})
# PNG's colour type for each number of channels.
_PNG_COLOR_TYPES = {1: 0, 3: 2, 4: 6}
_SUB_FILTER = 1


def png_from_pillow(image: PIL.Image.Image) -> bytes:
    """Write a Pillow image as PNG, upright.

    Modes that PNG does not have are converted. 16-bit samples keep their upper eight bits (`I;16` keeps all sixteen, of
    which the model uses the upper eight); floats (`F`) are scaled from [0, 1].

    Raises:
        ImageError: The values or the mode are ambiguous, or cannot be shown.
    """
    from PIL import ImageOps

    # The model applies EXIF orientation to photographs' files. PNG would lose it, so it is applied here.
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _DEEP_MODES:
        import numpy as np

        return _png(_deep(np.asarray(upright)))
    if upright.mode == "I;16":
        import numpy as np

        # It is written unchanged, to keep its transparent level; `_deep` refuses values that would be nearly black.
        _deep(np.asarray(upright))
    if upright.mode == "LAB":
        upright = _from_lab(upright)
    elif upright.mode not in _PNG_MODES:
        if upright.mode not in _SAME_AS:
            raise ImageError(f"an image of mode {upright.mode} has no lossless file form: convert it to RGB first")
        upright = upright.convert(_SAME_AS[upright.mode])
    file = io.BytesIO()
    upright.save(file, format="PNG", compress_level=1)
    return file.getvalue()


def png_from_array(pixels: NDArray[Any]) -> bytes:
    """Write [H, W], [H, W, 1], [H, W, 3] or [H, W, 4] as PNG, without Pillow.

    uint8 is written unchanged, bool as black and white, uint16 with its upper eight bits, floats scaled from [0, 1].

    Raises:
        ImageError: The array has another shape or type, values beyond its range, or a mask.
    """
    if hasattr(pixels, "mask") and pixels.mask.any():
        raise ImageError("a masked array has pixels that are hidden: give array.filled(0), or another value for them")
    channels = pixels.shape[-1] if pixels.ndim > 2 else 1
    if pixels.ndim not in (2, 3) or channels not in _PNG_COLOR_TYPES or not pixels.size:
        raise ImageError(
            "an array must be [H, W], [H, W, 1], [H, W, 3] or [H, W, 4] to be an image, not "
            f"{pixels.dtype} {list(pixels.shape)}: {_other_shape(pixels)}, or send it with client.predict"
        )
    if pixels.dtype.kind not in "bf" and pixels.dtype.newbyteorder("=") not in ("uint8", "uint16"):
        raise ImageError(
            "an array must be uint8, uint16, bool or float to be an image, not "
            f'{pixels.dtype} {list(pixels.shape)}: if its values are 0 to 255, give array.astype("uint8")'
        )
    return _png(_shallow(pixels))


def _other_shape(pixels: NDArray[Any]) -> str:
    """Say how to make an image of an array whose shape is not that of an image."""
    if not pixels.ndim and pixels.dtype.kind in "OS":
        return "array.item() gives what it holds"
    if pixels.ndim == 3 and pixels.size and pixels.shape[0] in _PNG_COLOR_TYPES:
        return "numpy.moveaxis(array, 0, -1) puts its channels last"
    if pixels.ndim > 3 and pixels.size:
        return "array[0] is the first image of a batch"
    return "convert it"


def _shallow(samples: NDArray[Any], bits: int | None = None) -> NDArray[np.uint8]:
    levels = Levels(bits)
    pixels = levels.of(samples)
    levels.check()
    return pixels


def _deep(samples: NDArray[Any]) -> NDArray[np.uint8]:
    # Pillow opens 16-bit files as int32 in some cases.
    return _shallow(samples, None if samples.dtype.kind == "f" else 16)


def _from_lab(image: PIL.Image.Image) -> PIL.Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None  # noqa: S101 - it is not converted in place
    return converted


def _png(pixels: NDArray[np.uint8]) -> bytes:
    import numpy as np

    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
    # Each row begins with its filter. The filter "sub" stores the difference from the pixel to the left, modulo 256.
    rows = pixels.reshape(height, width * channels)
    filtered = np.empty((height, 1 + width * channels), np.uint8)
    filtered[:, 0] = _SUB_FILTER
    filtered[:, 1 : 1 + channels] = rows[:, :channels]
    filtered[:, 1 + channels :] = rows[:, channels:] - rows[:, :-channels]

    header = struct.pack(">IIBBBBB", width, height, 8, _PNG_COLOR_TYPES[channels], 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 1)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name, data) for name, data in chunks)


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
