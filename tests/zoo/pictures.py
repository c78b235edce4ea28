"""The images of the zoo: 29 kinds of file to compare models on, and photographs to set weights with."""

from collections.abc import Mapping

from PIL import Image

from support import photographs

#: Names in the decode table. All formats, depths, modes and orientations; smaller and larger than a model's input.
KINDS = (
    "JPEG, 4:2:0",
    "JPEG, 4:4:4",
    "JPEG, grayscale",
    "JPEG, progressive",
    "JPEG, arithmetic coding",
    "JPEG, CMYK",
    "JPEG, YCCK",
    "JPEG, RGB",
    "JPEG, EXIF orientation 3, big-endian",
    "JPEG, EXIF orientation 6, little-endian",
    "PNG, RGB",
    "PNG, RGB with alpha",
    "PNG, grayscale with alpha",
    "PNG, 16 bits, RGB",
    "PNG, palette of 16",
    "PNG, palette of 200, one transparent",
    "PNG, interlaced",
    "PNG, EXIF orientation 6",
    "GIF, version 89a",
    "GIF, one colour transparent",
    "GIF, animated",
    "BMP, 24 bits",
    "BMP, palette of 256",
    "WebP, lossy",
    "WebP, lossless with alpha",
    "WebP, EXIF orientation 6",
    "PNG, 451 x 300",
    "JPEG, 512 x 600",
    "JPEG, 12 megapixels",
)
#: Kinds that export decodes at a part of their size, where the model's input is less than a quarter of theirs.
LARGE = ("JPEG, 12 megapixels",)


def files() -> Mapping[str, bytes]:
    """The 29 files, by their names in the decode table."""
    from support.image_cases import CASES

    cases = {case.name: case for case in CASES if case.status == 0}
    return {name: cases[name].data() for name in KINDS}


def to_set_weights_by() -> list[Image.Image]:
    """Photographs and parts of them, RGB, that are not among the files."""
    whole = [
        photographs.image(photographs.path(package, name))
        for package, name in (
            ("skimage", "data/astronaut.png"),
            ("skimage", "data/rocket.jpg"),
            ("skimage", "data/retina.jpg"),
            ("sklearn", "datasets/images/flower.jpg"),
        )
    ]
    parts = [picture.crop((0, 0, picture.width // 2, picture.height // 2)) for picture in whole]
    return [*whole, *parts]
