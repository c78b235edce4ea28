"""From the value of a table's cell to an image: bytes, a path, a URL, or nothing."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast
from urllib.parse import unquote

from .._errors import ImageError
from .._images.encode import ImageLike

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*::)*[A-Za-z][A-Za-z0-9+.-]*://")
# As Spark's data source `binaryFile` writes the paths of local files.
_LOCAL = re.compile(r"file:/+")
# A bucket answers in tens of milliseconds: so many at a time keep a server at work, and fit any memory.
_READERS = 16
_AHEAD = 2 * _READERS
# More than the client takes for an image: what is larger, it refuses itself.
_MOST = 2**29


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


class Remote:
    """A file behind a URL, which another thread reads before its turn."""

    def __init__(self, url: str) -> None:
        self.name = url
        self._begun: Future[bytes] | None = None
        self._read = False

    def begin(self, readers: ThreadPoolExecutor) -> None:
        """Have it read."""
        self._begun = readers.submit(_fetched, self.name)

    def read(self, _: int = -1) -> bytes:
        """Return the file's bytes, and none when it is called again."""
        if self._read:
            return b""
        self._read = True
        begun, self._begun = self._begun, None
        return _fetched(self.name) if begun is None else begun.result()


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


def ahead(images: Iterable[ImageLike]) -> Iterator[ImageLike]:
    """Have the next remote files read by other threads, while the client is at those before them."""
    waiting: deque[ImageLike] = deque()
    readers: ThreadPoolExecutor | None = None
    remote = 0
    try:
        for image in images:
            if isinstance(image, Remote):
                readers = readers or ThreadPoolExecutor(_READERS, thread_name_prefix="hubserve-remote")
                image.begin(readers)
                remote += 1
            waiting.append(image)
            # Without remote files nothing is held back.
            while waiting and (not remote or len(waiting) >= _AHEAD):
                given = waiting.popleft()
                remote -= isinstance(given, Remote)
                yield given
        yield from waiting
    finally:
        if readers is not None:
            readers.shutdown(wait=False, cancel_futures=True)


def _named(text: str) -> ImageLike:
    if local := _LOCAL.match(text):
        path = "/" + text[local.end() :]
        return path if os.path.exists(path) else unquote(path)
    if _URL.match(text):
        return cast(ImageLike, Remote(text))
    return text if text else _none("the cell holds an empty text: give a path, a URL, or bytes")


def _none(why: str) -> ImageLike:
    return cast(ImageLike, NoImage(why))


def _fetched(url: str) -> bytes:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImageError("a URL needs fsspec: install hubserve[remote] on the workers") from error
    system, path = url_to_fs(url)
    with system.open(path, "rb") as file:
        return cast(bytes, file.read(_MOST))
