"""From whatever a caller calls an image to the bytes of an image file.

Files and bytes go as they are: the model decodes them. Pixels are written as PNG, which loses nothing. numpy and Pillow
are never imported here: who hands over an array or a Pillow image has imported them.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import sys
import zlib
from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeGuard, TypeVar

from ._errors import ImageError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray
    from opentelemetry.trace import SpanContext

ImageLike: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | PIL.Image.Image | NDArray[np.uint8]"
)
# Reads the image at a place among many.
Encode: TypeAlias = "Callable[[int, ImageLike], EncodedImage]"
# What PNG holds without loss, in Pillow's names.
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
# What PNG calls a pixel of so many channels.
_PNG_COLOR_TYPES = {1: 0, 3: 2, 4: 6}
_SUB_FILTER = 1
# Twice the 64 million pixels that models allow by default, at three bytes each: whatever is larger is no image.
_MAX_BYTES = 384 * 2**20


# Not frozen: one is made for each image of millions, and that would double what it takes.
@dataclass(slots=True)
class EncodedImage:
    """An image to be sent: `EncodedImage(index=0, source="cat.jpg", data=b"...")`; with an error, it cannot.

    `caller` is OpenTelemetry's span of the one who asked, where its request carries the images of several.
    """

    index: int
    source: str
    data: bytes = b""
    error: ImageError | None = None
    caller: SpanContext | None = None


def encode(index: int, image: ImageLike, smaller: Callable[[bytes], bytes] | None = None) -> EncodedImage:
    """Reads or encodes one image; what is wrong with it is kept in the answer, not raised.

    Args:
        index: Its place among the images.
        image: The caller's.
        smaller: Makes smaller what will be sent.
    """
    if type(image) is bytes and smaller is None and 0 < len(image) <= _MAX_BYTES:
        # What most are, and in a long run what is done for each image counts.
        return EncodedImage(index, f"image {index}", image)
    source = _source(index, image)
    try:
        data = _encoded(image)
        if not data:
            raise ImageError("it is empty, 0 bytes: check that it was written to its end")
        _refuse_huge(len(data))
        return EncodedImage(index, source, data if smaller is None else smaller(data))
    except ImageError as error:
        return EncodedImage(index, source, error=ImageError(f"{source}: {error}"))
    # Reading runs code that is not ours (Pillow's, a remote file's), which raises what it likes.
    except Exception as error:  # noqa: BLE001
        failure = ImageError(f"{source}: {getattr(error, 'strerror', None) or error}: check that it can be read")
        failure.__cause__ = error
        return EncodedImage(index, source, error=failure)


def _refuse_huge(size: int) -> None:
    if size > _MAX_BYTES:
        raise ImageError(f"it has more than {_MAX_BYTES >> 20} MiB: check that it is an image")


def is_path(image: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether the image is to be read from the file system."""
    # Asking for os.PathLike takes a while, and most images are bytes or text.
    return isinstance(image, str) or (not isinstance(image, bytes) and isinstance(image, os.PathLike))


_Images = TypeVar("_Images", bound="Iterable[ImageLike] | AsyncIterable[ImageLike]")


def many(images: _Images) -> _Images:
    """Gives back the images, unless what came is one image: iterating it would give letters, lines or rows of pixels.

    Raises:
        UsageError: It is one image, or nothing that can be iterated.
    """
    one = (
        is_path(images)
        or isinstance(images, bytes | bytearray | memoryview)
        or hasattr(images, "read")
        or (_is_array(images) and images.ndim in (2, 3))
    )
    if one or not isinstance(images, Iterable | AsyncIterable):
        raise UsageError(f"images must be an iterable of images, not one {type(images).__name__}: write [image]")
    return images


def _source(index: int, image: Any) -> str:
    if is_path(image):
        return os.fsdecode(image)
    # A file's name, or that of the file a Pillow image was opened from; it may be missing, or a descriptor's number.
    name = getattr(image, "name", None) or getattr(image, "filename", None)
    return os.fsdecode(name) if name and isinstance(name, str | bytes | os.PathLike) else f"image {index}"


def _encoded(image: Any) -> bytes:
    if is_path(image):
        # Before it is opened, which for a pipe waits until somebody writes into it.
        about = os.stat(image)
        if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
            raise ImageError("it is no regular file: read it yourself, and give the bytes")
        _refuse_huge(about.st_size)
        with open(image, "rb") as file:
            return file.read(_MAX_BYTES + 1)
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if _is_array(image):
        return _png_from_array(image)
    if _is_pillow(image):
        return _png_from_pillow(image)
    if hasattr(image, "read"):
        data = image.read(_MAX_BYTES + 1)
        if not isinstance(data, bytes):
            raise ImageError('the file is open for text: open it with mode "rb"')
        return data
    raise ImageError(
        f"a {type(image).__name__} is no image: give a path, bytes, a binary file, a Pillow image or a uint8 array"
    )


def _is_array(image: object) -> TypeGuard[NDArray[Any]]:
    return _is_instance(image, "numpy", "ndarray")


def _is_pillow(image: object) -> bool:
    return _is_instance(image, "PIL.Image", "Image")


def _is_instance(image: object, module: str, name: str) -> bool:
    # Another thread may be importing the module: it is there then, without its names. Whoever has an instance has them.
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(image, kind)


def _png_from_pillow(image: PIL.Image.Image) -> bytes:
    from PIL import ImageOps

    if image.mode not in _PNG_MODES:
        raise ImageError(f'an image of mode {image.mode} has no lossless file form: image.convert("RGB") first')
    file = io.BytesIO()
    # The model turns a photograph's file upright by its EXIF orientation; PNG would lose that, so it is done here.
    ImageOps.exif_transpose(image).save(file, format="PNG", compress_level=1)
    return file.getvalue()


def _png_from_array(pixels: NDArray[Any]) -> bytes:
    """Writes uint8 [H, W], [H, W, 3] or [H, W, 4] as PNG, so that nobody has to install Pillow for these few lines."""
    import numpy as np

    channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
    if pixels.dtype != "uint8" or pixels.ndim not in (2, 3) or channels not in _PNG_COLOR_TYPES or not pixels.size:
        raise ImageError(
            f"an array must be uint8 [H, W], [H, W, 3] or [H, W, 4] to be an image, not {pixels.dtype} "
            f"{list(pixels.shape)}: convert it, or send it with client.predict"
        )
    height, width = pixels.shape[:2]
    # Each row begins with its filter; "sub" keeps the difference from the pixel to the left, modulo 256.
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
