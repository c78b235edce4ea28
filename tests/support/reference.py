"""The pixels that the model must get for a photograph, computed with Pillow alone."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps


def upright(data: bytes) -> Image.Image:
    """Decodes, turns upright, composites over white: 8-bit RGB."""
    with Image.open(io.BytesIO(data)) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.mode.startswith("I"):
            picture = Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8))
        if "transparency" in picture.info or picture.mode in ("LA", "PA", "RGBA"):
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        return picture.convert("RGB")


def pixels(data: bytes, height: int, width: int) -> npt.NDArray[np.float64]:
    """`upright`, resized: float [height, width, 3] in [0, 255]."""
    small = upright(data).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(small).astype(np.float64)
