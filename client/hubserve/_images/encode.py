"""Turn the images that callers give into the bytes of image files.

Files and bytes are sent unchanged, unless the client converts a format that the server does not read. Pixels are
written as PNG, which loses nothing. This module never imports numpy or Pillow: a caller that gives an array or a Pillow
image has imported them.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeGuard, TypeVar

from .._errors import ImageError, UsageError
from .folder import Folder
from .kinds import HEAD_BYTES, Kind, Reader, kind_of
from .not_a_path import beginning, not_a_path, short_name, without_control
from .png_writer import png_from_array, png_from_pillow
from .streams import contents

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray
    from opentelemetry.trace import SpanContext

ImageLike: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | PIL.Image.Image | NDArray[np.uint8]"
)
# Converts a file into one that the server reads, and returns it with a note about what else the file holds.
Convert: TypeAlias = "Callable[[BinaryIO, Kind], tuple[bytes, str | None]]"
# Reads or encodes the image at an index.
Encode: TypeAlias = "Callable[[int, ImageLike], EncodedImage]"
# Twice the 64 million pixels that models allow by default, at three bytes each: a larger file is not an image.
_MAX_BYTES = 384 * 2**20


# Not frozen: a frozen dataclass takes twice as long to make, and there is one for each of millions of images.
@dataclass(slots=True)
class EncodedImage:
    """An image to send: `EncodedImage(index=0, source="cat.jpg", data=b"...")`; with an error, it is not sent.

    `note` says what the file holds besides the image that is sent.
    `caller` is the caller's OpenTelemetry span, where a request carries images of several callers.
    """

    index: int
    source: str
    data: bytes = b""
    error: ImageError | None = None
    note: str | None = None
    caller: SpanContext | None = None


def encode(
    index: int,
    image: ImageLike,
    smaller: Callable[[bytes], bytes] | None = None,
    convert: Convert | None = None,
) -> EncodedImage:
    """Read or encode one image; an error is kept in the answer, not raised.

    Args:
        index: The image's place among the images.
        image: The image, as the caller gave it.
        smaller: Downscales the bytes that will be sent.
        convert: Converts a file that the server does not read.
    """
    if type(image) is bytes and smaller is None and convert is None and 0 < len(image) <= _MAX_BYTES:
        # The most common case, kept fast: a long run does this for each image.
        return EncodedImage(index, f"image {index}", image)
    source = _source(index, image)
    try:
        data, note = _encoded(image, convert)
        return EncodedImage(index, source, data if smaller is None else smaller(data), note=note)
    except _NotAPathError as error:
        source = beginning(source)
        return EncodedImage(index, source, error=ImageError(f"{source}: {error}"))
    except ImageError as error:
        return EncodedImage(index, source, error=ImageError(f"{without_control(source)}: {error}"))
    # Reading runs code of others (Pillow's, a remote file's), which may raise any error.
    except Exception as error:  # noqa: BLE001
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        failure = ImageError(f"{without_control(source)}: {reason}: check that it can be read")
        failure.__cause__ = error
        return EncodedImage(index, source, error=failure)


class _NotAPathError(ImageError):
    """The text is neither the name of a file nor a possible path."""


def _refuse_huge(size: int) -> None:
    if size > _MAX_BYTES:
        raise ImageError(f"it has more than {_MAX_BYTES >> 20} MiB: check that it is an image")


def is_path(image: object) -> TypeGuard[str | os.PathLike[str]]:
    """Tell whether the image is a path, to be read from the file system."""
    # The check for os.PathLike is slow, and most images are bytes or text.
    return isinstance(image, str) or (not isinstance(image, bytes) and isinstance(image, os.PathLike))


_Images = TypeVar("_Images", bound="Iterable[ImageLike] | AsyncIterable[ImageLike]")


def many(images: _Images | os.PathLike[str], *, convert: bool) -> _Images | Folder:
    """Return the images; refuse a single image, whose iteration would give letters, lines or rows of pixels.

    A folder stands for the images below it.

    Args:
        images: The argument of the caller.
        convert: Whether the client converts files that the server does not read.

    Raises:
        UsageError: `images` is a single image, or is not iterable.
    """
    if is_path(images) and os.path.isdir(images):
        return Folder(os.fspath(images), convert=convert)
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
        return short_name(os.fsdecode(image))
    # The name of a file, or of the file that Pillow opened; it may be missing, or be the number of a descriptor.
    name = getattr(image, "name", None) or getattr(image, "filename", None)
    return short_name(os.fsdecode(name)) if name and isinstance(name, str | bytes | os.PathLike) else f"image {index}"


def _encoded(image: Any, convert: Convert | None) -> tuple[bytes, str | None]:
    """Return the bytes to send, and a note about the file that they come from."""
    if is_path(image):
        with _opened(image) as file:
            if convert is not None:
                kind = kind_of(file.read(HEAD_BYTES))
                if kind.reader is Reader.CLIENT:
                    return convert(file, kind)
                file.seek(0)
            _refuse_huge(os.fstat(file.fileno()).st_size)
            return _checked(file.read(_MAX_BYTES + 1), None)
    if isinstance(image, bytes | bytearray | memoryview):
        return _checked(bytes(image), convert)
    if _is_array(image):
        return png_from_array(image), None
    if _is_pillow(image):
        return png_from_pillow(image), None
    if hasattr(image, "read"):
        return _checked(contents(image, _MAX_BYTES), convert)
    array = hasattr(image, "__array__") or isinstance(image, list | tuple)
    remedy = " (numpy.asarray(image) makes an array of it)" if array else ""
    raise ImageError(
        f"an object of type {type(image).__name__} is not an image: give a path, bytes, a binary file, a Pillow image "
        f"or an array{remedy}"
    )


def _checked(data: bytes, convert: Convert | None) -> tuple[bytes, str | None]:
    if not data:
        raise ImageError("it is empty, 0 bytes: check that it was written completely")
    _refuse_huge(len(data))
    if convert is not None and (kind := kind_of(data)).reader is Reader.CLIENT:
        return convert(io.BytesIO(data), kind)
    return data, None


def _opened(path: Any) -> BinaryIO:
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        if isinstance(path, str) and (reason := not_a_path(path)):
            raise _NotAPathError(reason) from None
        raise
    # Checked before opening: opening a pipe waits until a program writes into it.
    if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
        raise ImageError("it is not a regular file: read it yourself, and give the bytes")
    return open(path, "rb")


def _is_array(image: object) -> TypeGuard[NDArray[Any]]:
    return _is_instance(image, "numpy", "ndarray")


def _is_pillow(image: object) -> bool:
    return _is_instance(image, "PIL.Image", "Image")


def _is_instance(image: object, module: str, name: str) -> bool:
    # While another thread imports the module, its names may be missing. Then the image cannot be an instance.
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(image, kind)
