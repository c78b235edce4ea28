"""Describe what a source gives: paths, and images whose bytes do not come from a file of this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hubserve import ImageError

from ...common.exit_codes import WrongUsageError


class Unread:
    """An image that the client reads when its turn comes: `Unread("photos.tar/cat.jpg", file.read)`.

    It is a binary file as far as the client asks for one: a name, and `read` with the most bytes to give.

    Attributes:
        name: What stands for it in the results.
        data: What was read.
    """

    __slots__ = ("_read", "data", "name")

    def __init__(self, name: str, read: Callable[[int], bytes]) -> None:
        self.name = name
        self.data: bytes | None = None
        self._read = read

    def read(self, size: int) -> bytes:
        """Give at most so many bytes, and none when asked again; what stands in the way is raised."""
        if self.data is not None:
            return b""
        self.data = self._read(size)
        return self.data


Image: TypeAlias = str | Unread
Wanted: TypeAlias = Callable[[str], bool]


class NoImagesError(WrongUsageError):
    """A source names no image."""


def unreadable(name: str, why: str) -> Unread:
    """Return an image in place of what cannot be looked into: it fails, and so is among the results."""

    def fail(_: int) -> bytes:
        raise ImageError(why)

    return Unread(name, fail)


def name_of(image: Image) -> str:
    """Tell what stands for the image in the results."""
    return image if isinstance(image, str) else image.name
