"""The answers of the training library: the reference, without any code of hubserve."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from zoo import weights
from zoo.built import Array, Built


@dataclass(frozen=True)
class Reference:
    """The training library's pixels and answers for M images.

    Attributes:
        pixels: The model's input, float32 [M, H, W, C].
        levels: What a pixel's step by one level of 255 is in the input, for each channel, with its sign: float32 [C].
        logits: The answers without softmax or sigmoid, float32 [M, D].
        swapped: The answers where red and blue are swapped, or white and black where there is one channel: what a
            wrong convention would look like.
        head: "softmax", "sigmoid" or "none": what the model makes of its logits.
    """

    pixels: Array
    levels: Array
    logits: Array
    swapped: Array
    head: str

    def write(self, file: Path) -> None:
        """Writes it as NumPy's archive."""
        np.savez(file, **vars(self))

    @classmethod
    def read(cls, file: Path) -> "Reference":
        """Reads what `write` wrote."""
        with np.load(file) as archive:
            arrays = dict(archive)
        return cls(**{**arrays, "head": str(arrays["head"])})


def ask(built: Built, pictures: Sequence[Image.Image]) -> Reference:
    """Asks a model about upright RGB images, by its library's own pipeline and `predict`."""
    pixels = np.stack([built.prepare(picture) for picture in pictures])
    model = built.before_softmax or built.model
    head = "softmax" if built.before_softmax else weights.head(model)
    with weights.without_activation(model):
        logits = _predict(built, model, pictures)
        swapped = _predict(built, model, [_swapped(picture, one=pixels.shape[-1] != 3) for picture in pictures])
    return Reference(pixels, _levels(built), logits, swapped, head)


def _predict(built: Built, model: object, pictures: Sequence[Image.Image]) -> Array:
    if built.fed is None:
        given = np.stack([built.prepare(picture) for picture in pictures])
        answer = model.predict(given, batch_size=2, verbose=0)  # type: ignore[attr-defined]
    else:
        # They are of many sizes, so each goes alone.
        each = [model.predict(built.fed(picture)[None], verbose=0) for picture in pictures]  # type: ignore[attr-defined]
        answer = np.concatenate(each)
    return np.asarray(answer, np.float32).reshape(len(pictures), -1)


def _levels(built: Built) -> Array:
    black, white = (built.prepare(Image.new("RGB", (64, 64), colour)) for colour in ("black", "white"))
    return (white - black).reshape(-1, white.shape[-1] if white.ndim == 3 else 1)[0] / 255


def _swapped(picture: Image.Image, one: bool) -> Image.Image:
    if one:
        return Image.eval(picture, lambda level: 255 - level)
    return Image.merge("RGB", picture.split()[::-1])
