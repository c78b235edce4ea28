"""The real photographs, from packages that are installed anyway, and functions to write them in other formats."""

import importlib.util
import io
from pathlib import Path

import numpy as np
from PIL import Image


def path(package: str, name: str) -> Path:
    """The file `name` inside an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0], name)


CHELSEA = path("skimage", "data/chelsea.png")
COFFEE = path("skimage", "data/coffee.png")
CAMERA = path("skimage", "data/camera.png")
GRACE_HOPPER = path("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")
CHINA = path("sklearn", "datasets/images/china.jpg")


def image(file: Path = CHELSEA) -> Image.Image:
    """A photograph as RGB."""
    with Image.open(file) as opened:
        return opened.convert("RGB")


def mirrored(width: int, height: int, file: Path = CHINA) -> Image.Image:
    """An image of any size with the sharpness of a photograph: cut, or tiled, each tile a mirror image of the next."""
    samples = np.asarray(image(file))
    beyond = [(0, max(0, wanted - there)) for wanted, there in zip((height, width), samples.shape[:2], strict=True)]
    return Image.fromarray(np.pad(samples, [*beyond, (0, 0)], mode="symmetric")[:height, :width])


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    """The image as a file of the given format."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()
