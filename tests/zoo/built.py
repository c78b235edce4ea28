"""A model of the zoo, and how its training library prepares an image for it. Nothing here comes from hubserve."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]
Prepare = Callable[[Image.Image], Array]


@dataclass(frozen=True)
class Built:
    """A model in memory, before it is saved.

    Attributes:
        model: The Keras model.
        save: Saves it in a folder as its library or tutorial does, and gives the path to export.
        prepare: Makes the model's input, float32 [H, W, C], of an image as `predict` or the tutorial does.
        fed: Makes what is given to `predict`, where the model itself has the first steps of `prepare`.
        before_softmax: The model without its last layer, where that is a softmax of its own.
    """

    model: Any
    save: Callable[[Path], Path]
    prepare: Prepare
    fed: Prepare | None = None
    before_softmax: Any = None


@dataclass(frozen=True)
class Entry:
    """A model that the zoo can build.

    Attributes:
        name: In the table and on the command line.
        source: Where it comes from: the constructor, or the tutorial's page.
        build: Builds it.
        said: What a person has to say because the model does not carry it: options of export besides labels.
        labels: The number of class names that a person gives; 0 where ImageNet's come by themselves.
    """

    name: str
    source: str
    build: Callable[[], Built]
    said: Mapping[str, Any] = field(default_factory=dict)
    labels: int = 0


def stretched(picture: Image.Image, height: int, width: int) -> Array:
    """Resizes with Pillow without rounding: float32 [height, width, 3] in [0, 255], bilinear, antialiased."""
    return _resized(picture, height, width)


def luminance(picture: Image.Image, height: int, width: int) -> Array:
    """Resizes the brightness that `load_img` makes with color_mode="grayscale": float32 [height, width, 1]."""
    return _resized(picture.convert("L"), height, width)


def _resized(picture: Image.Image, height: int, width: int) -> Array:
    # Of Pillow's modes, F alone has values between the levels.
    bands = [band.convert("F").resize((width, height), Image.Resampling.BILINEAR) for band in picture.split()]
    return np.stack([np.asarray(band, np.float32) for band in bands], axis=-1)


def as_keras(model: Any) -> Callable[[Path], Path]:
    """Saves as `model.keras`."""

    def save(folder: Path) -> Path:
        model.save(folder / "model.keras")
        return folder / "model.keras"

    return save


def as_h5(model: Any) -> Callable[[Path], Path]:
    """Saves as `model.h5`, Keras' older form."""

    def save(folder: Path) -> Path:
        model.save(folder / "model.h5")
        return folder / "model.h5"

    return save


def as_preset(model: Any) -> Callable[[Path], Path]:
    """Saves as KerasHub's preset folder."""

    def save(folder: Path) -> Path:
        model.save_to_preset(str(folder / "preset"))
        return folder / "preset"

    return save


def as_saved_model(model: Any) -> Callable[[Path], Path]:
    """Saves as a SavedModel with `model.export`."""

    def save(folder: Path) -> Path:
        model.export(folder / "saved_model", verbose=False)
        return folder / "saved_model"

    return save
