"""From the value of a table's cell to an image: bytes, a path, a URL, or nothing."""

from __future__ import annotations

import os
import re
from typing import Any, cast
from urllib.parse import unquote

from .._errors import ImageError
from .._images.encode import ImageLike
from .ahead import Remote, is_url

# As Spark's data source `binaryFile` writes the paths of local files.
_LOCAL = re.compile(r"file:/+")


class NoImage:
    """Stand for a cell that holds no image: its row gets the reason as its error."""

    name = "the row"

    def __init__(self, why: str) -> None:
        self._why = why

    def read(self, _: int = -1) -> bytes:
        """Raise the reason.

        Raises:
            ImageError: Always.
        """
        raise ImageError(self._why)


def image_of(value: Any) -> ImageLike:
    """Return the image that a cell stands for; one without an image gives a `NoImage`.

    Args:
        value: Bytes; a str with a path or a URL; a dict with `bytes` or `path`, as the columns of Hugging Face's data
            sets have it; None or NaN; or any other image that `Client.classify` takes.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        if value.keys() <= {"bytes", "path"}:
            data = value.get("bytes")
            return image_of(value.get("path") if data is None else data)
        return _none(f"a struct with the fields {', '.join(map(str, value))} is not an image: give bytes or a path")
    if isinstance(value, str):
        return _named(value)
    # NaN, NaT and pandas' NA are not equal to themselves, or cannot tell.
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        return _none("the cell is null: there is no image in this row")
    return cast(ImageLike, value)


def _named(text: str) -> ImageLike:
    if local := _LOCAL.match(text):
        path = "/" + text[local.end() :]
        return path if os.path.exists(path) else unquote(path)
    if is_url(text):
        return cast(ImageLike, Remote(text))
    return text if text else _none("the cell holds an empty text: give a path, a URL, or bytes")


def _none(why: str) -> ImageLike:
    return cast(ImageLike, NoImage(why))
