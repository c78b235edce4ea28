"""The images that a source gives: paths, and images whose bytes do not come from a file of this machine."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeAlias

from hubserve import ImageError
from hubserve.internals import ReadAhead, Remote

from ...common.exit_codes import WrongUsageError


class Unread:
    """An image that the client reads when its turn comes: `Unread("photos.tar/cat.jpg", file.read)`.

    It has what the client needs of a binary file: a name, and `read`, which takes the largest number of bytes.

    Attributes:
        name: The image's name in the results.
        key: What the image is called in its table or archive: the value of the id column, or the key of a WebDataset
            sample. None: nothing.
        cut: Whether it is from a source that is cut into shards as a whole, so that its name does not matter.
        data: The bytes that were read.
    """

    __slots__ = ("_read", "cut", "data", "key", "name")

    def __init__(self, name: str, read: Callable[[int], bytes], *, key: str | None = None, cut: bool = False) -> None:
        self.name = name
        self.key = key
        self.cut = cut
        self.data: bytes | None = None
        self._read = read

    def read(self, size: int) -> bytes:
        """Return at most that many bytes, and none the second time; raise what keeps the file from being read."""
        if self.data is not None:
            return b""
        self.data = self._read(size)
        return self.data


class Streamed(Unread):
    """An image that must be read before the next one is requested, because both come from one stream."""

    __slots__ = ()


class Fetched(Unread, ReadAhead):
    """An image that another thread reads before its turn: `Fetched(name, Remote(url))`."""

    __slots__ = ("_remote",)

    def __init__(self, name: str, remote: Remote, *, key: str | None = None, cut: bool = False) -> None:
        super().__init__(name, remote.read, key=key, cut=cut)
        self._remote = remote

    def begin(self, readers: Executor) -> None:
        """Begin to read the image."""
        self._remote.begin(readers)


Image: TypeAlias = str | Unread
Wanted: TypeAlias = Callable[[str], bool]


class NoImagesError(WrongUsageError):
    """A source names no image."""


def unreadable(name: str, why: str) -> Unread:
    """Return an image for a place that cannot be read: it fails, so that it is among the results."""

    def fail(_: int) -> bytes:
        raise ImageError(why)

    return Unread(name, fail)


def name_of(image: Image) -> str:
    """Return the image's name in the results."""
    return image if isinstance(image, str) else image.name
