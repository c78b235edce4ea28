"""The images that a source gives: paths, and images whose bytes do not come from a file of this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hubserve import ImageError

from ...common.exit_codes import WrongUsageError


class Unread:
    """An image that the client reads when its turn comes: `Unread("photos.tar/cat.jpg", file.read)`.

    It has what the client needs of a binary file: a name, and `read`, which takes the largest number of bytes.

    Attributes:
        name: The image's name in the results.
        data: The bytes that were read.
    """

    __slots__ = ("_read", "data", "name")

    def __init__(self, name: str, read: Callable[[int], bytes]) -> None:
        self.name = name
        self.data: bytes | None = None
        self._read = read

    def read(self, size: int) -> bytes:
        """Return at most that many bytes, and none the second time; raise what keeps the file from being read."""
        if self.data is not None:
            return b""
        self.data = self._read(size)
        return self.data


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
