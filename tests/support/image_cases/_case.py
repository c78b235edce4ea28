"""An image file, and the result that is expected of the exported model."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from support.decoding import HEIGHT, WIDTH
from support.photographs import COFFEE, encoded, image


@dataclass(frozen=True)
class Case:
    """A file, and what is expected.

    Attributes:
        name: As in the table of the documentation; it begins with the format.
        data: Makes the file.
        status: What the model must answer.
        largest: The most that a value may differ from Pillow's, in levels of 255.
        mean: The most that all values may differ in the mean.
        shown: Makes another file, which Pillow shows as this one must be shown, where Pillow does not do it itself.
        size: Height and width of the model's input.
    """

    name: str
    data: Callable[[], bytes]
    status: int = 0
    largest: float = 0
    mean: float = 0
    shown: Callable[[], bytes] | None = None
    size: tuple[int, int] = (HEIGHT, WIDTH)


def photograph() -> Image.Image:
    """A photograph of the model's input size: nothing is resized, so that decoding must be exact."""
    return image(COFFEE).resize((WIDTH, HEIGHT))


def palette_picture(colours: int = 64) -> Image.Image:
    """The same in a palette."""
    return photograph().quantize(colours)


def transparent() -> Image.Image:
    """The same, fading from invisible to opaque."""
    picture = photograph().convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def as_png(picture: Image.Image) -> bytes:
    """Return the image that is to be seen, as PNG."""
    return encoded(picture, "PNG")
