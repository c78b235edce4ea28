"""What a photograph must look like to the model, worked out with Pillow alone."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps


def pixels(data: bytes, height: int, width: int) -> npt.NDArray[np.float64]:
    """Decodes, turns upright, composites over white, resizes: float [height, width, 3] in [0, 255]."""
    with Image.open(io.BytesIO(data)) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.mode.startswith("I"):
            picture = Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8))
        if "transparency" in picture.info or picture.mode in ("LA", "PA", "RGBA"):
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        small = picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(small).astype(np.float64)
