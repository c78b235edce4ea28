"""From what a person names on the command line to the images it stands for, one after another."""

from __future__ import annotations

import functools
import glob
import itertools
import os
from collections.abc import Callable, Iterable, Iterator

from hubserve.internals import short_name

from . import _archives, _local, _remote
from ._choice import Choice, LeftOut
from ._items import Image, NoImagesError, Unread, Wanted, name_of

__all__ = ["Choice", "Image", "LeftOut", "NoImagesError", "Unread", "Wanted", "find", "name_of", "total"]


def find(
    sources: Iterable[str],
    *,
    wanted: Wanted = lambda _: True,
    null: bool = False,
    choice: Choice | None = None,
) -> Iterator[Image]:
    """Find the images that files, folders, globs, archives, URLs, or `-` for standard input stand for.

    Everything named is looked at before the first image is given, so that a misspelt name does not come to light after
    an hour; what lies in a folder, an archive or a bucket is found as it is needed. What cannot be looked into is given
    as an image that cannot be read, so that it appears among the results.

    Args:
        sources: As on the command line.
        wanted: Asked once for each image by its name, before anything of it is read; those it declines are left out.
        null: The paths on standard input end with NUL, as those of `find -print0`; else with a line feed.
        choice: Tells the images of folders, archives and buckets from their other files, which it counts.

    Raises:
        NoImagesError: A source is not there, or names no image.
        click.ClickException: A source cannot be reached.
    """
    choice = choice or Choice()
    found = itertools.chain.from_iterable([_found(source, null, choice) for source in sources])
    return _remote.ahead(image for image in found if wanted(name_of(image)))


def total(sources: Iterable[str], wanted: Wanted, choice: Choice | None = None) -> int | None:
    """Count the images where that costs a look at folders only; None where they come from elsewhere.

    Args:
        sources: As for `find`.
        wanted: As for `find`.
        choice: One of its own: what it counts as left out is counted by that of `find` already.
    """
    choice = choice or Choice()
    count = 0
    for source in sources:
        if source == "-" or _remote.is_url(source) or (os.path.isfile(source) and _archives.is_archive(source)):
            return None
        for image in _found(source, False, choice):
            if not isinstance(image, str):
                return None
            count += wanted(image)
    return count


def _found(source: str, null: bool, choice: Choice) -> Iterator[Image]:
    if source == "-":
        return _local.listed(null=null)
    if _remote.is_url(source):
        return _remote.found(source, choice)
    if os.path.isdir(source):
        return _at_least_one(
            _local.below(source, choice), functools.partial(choice.none_in, source, choice.left_out.copy())
        )
    if os.path.lexists(source):
        return _archives.in_file(source, choice) if _archives.is_archive(source) else iter([source])
    if glob.has_magic(source):
        return _at_least_one(_local.matches(source, choice), lambda: f"nothing matches {source}")
    raise NoImagesError(
        f"{short_name(source)} is not there; name files, folders, globs, tar archives, URLs, or - to read paths from "
        "standard input"
    )


def _at_least_one(images: Iterator[Image], otherwise: Callable[[], str]) -> Iterator[Image]:
    first = next(images, None)
    if first is None:
        raise NoImagesError(otherwise())
    return itertools.chain([first], images)
