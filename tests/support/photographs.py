"""The real photographs, inside packages that are installed anyway, and ways to write them in other formats."""

import importlib.util
import io
from pathlib import Path

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


def image(file: Path = CHELSEA) -> Image.Image:
    """A photograph as RGB."""
    with Image.open(file) as opened:
        return opened.convert("RGB")


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    """The picture as a file of the given format."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()
