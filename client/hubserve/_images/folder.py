"""The images below a folder, chosen and ordered in one way for the command and the library."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar, cast

from .._errors import ImageError
from .choice import Choice

_Failed = TypeVar("_Failed")


def below(folder: str, choice: Choice, unreadable: Callable[[str, str], _Failed]) -> Iterator[str | _Failed]:
    """Return the images below a folder, in the order of their names, so that all runs and machines have the same order.

    The names of one folder at a time are in memory. Links to files are followed, but links to folders are not, because
    they can form circles.

    Args:
        folder: Where to look.
        choice: Tells images from other files.
        unreadable: Makes an image that fails, of the name of a folder that cannot be read and the reason.
    """
    failures: list[OSError] = []

    def reported() -> Iterator[_Failed]:
        for failure in failures:
            yield unreadable(os.fsdecode(failure.filename), f"the folder cannot be read ({failure.strerror})")
        failures.clear()

    for parent, folders, files in os.walk(folder, onerror=failures.append):
        yield from reported()
        folders.sort()
        files.sort()
        yield from (path for name in files if choice.takes(path := os.path.join(parent, name)))
    yield from reported()


class Folder:
    """The images of a folder for one call: what is left out is told by a warning when the last image was given.

    Args:
        folder: Where to look.
        convert: Whether files that the server does not read are converted, and so taken.
    """

    def __init__(self, folder: str, *, convert: bool) -> None:
        self._folder = folder
        self._convert = convert

    def __iter__(self) -> Iterator[str | BinaryIO]:
        choice = Choice(convert=self._convert)
        yield from below(self._folder, choice, _unreadable)
        left_out = choice.left_out
        if left_out.total:
            remedy = "".join(f"; {words}" for words in left_out.remedy("convert=True"))
            warnings.warn(f"{self._folder}: {left_out.counted()}{remedy}", UserWarning, stacklevel=2)


class _Unreadable:
    """An image that fails when it is read."""

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self._why = why

    def read(self, _: int = -1) -> bytes:
        raise ImageError(self._why)


def _unreadable(name: str, why: str) -> BinaryIO:
    return cast(BinaryIO, _Unreadable(name, why))
