"""Find the images that the user's arguments stand for, one after another."""

from __future__ import annotations

import functools
import glob
import itertools
import os
from collections.abc import Callable, Iterable, Iterator

from hubserve.internals import Choice, LeftOut, below, short_name

from . import _archives, _columns, _local, _remote
from ._columns import Columns
from ._items import Image, NoImagesError, Unread, Wanted, name_of, unreadable

__all__ = ["Choice", "Columns", "Image", "LeftOut", "NoImagesError", "Unread", "Wanted", "find", "name_of", "total"]

_NO_COLUMNS = Columns()


def find(
    sources: Iterable[str],
    *,
    wanted: Wanted = lambda _: True,
    null: bool = False,
    choice: Choice | None = None,
    columns: Columns = _NO_COLUMNS,
) -> Iterator[Image]:
    """Find the images that files, folders, globs, archives, URLs, or `-` for standard input stand for.

    All sources are checked before the first image is returned, so that a misspelt name does not appear after an hour;
    the content of a folder, an archive or a bucket is found when it is needed. A place that cannot be read is returned
    as an image that cannot be read, so that it appears among the results.

    Args:
        sources: As on the command line.
        wanted: Called once for each image with its name, before the image is read; False leaves the image out.
        null: The paths on standard input end with NUL, as those of `find -print0`; else with a line feed.
        choice: Chooses images among the files of folders, archives and buckets, and counts the others.
        columns: The columns of tables.

    Raises:
        NoImagesError: A source does not exist, or names no image.
        click.ClickException: A source cannot be reached.
    """
    choice = choice or Choice()
    found = itertools.chain.from_iterable([_found(source, null, choice, columns) for source in sources])
    return _remote.ahead(image for image in found if wanted(name_of(image)))


def total(sources: Iterable[str], wanted: Wanted, choice: Choice | None = None) -> int | None:
    """Count the images if they are all in folders; None: other sources would have to be read.

    Args:
        sources: As for `find`.
        wanted: As for `find`.
        choice: Not the one of `find`, which counts the files that are left out itself.
    """
    choice = choice or Choice()
    count = 0
    for source in sources:
        if source == "-" or _remote.is_url(source) or _is_container(source):
            return None
        for image in _found(source, False, choice, _NO_COLUMNS):
            if not isinstance(image, str):
                return None
            count += wanted(image)
    return count


def _found(source: str, null: bool, choice: Choice, columns: Columns) -> Iterator[Image]:
    if source == "-":
        return _local.listed(null=null)
    if _remote.is_url(source):
        return _remote.found(source, choice)
    if os.path.isdir(source):
        return _at_least_one(
            below(source, choice, unreadable), functools.partial(choice.none_in, source, choice.left_out.copy())
        )
    if os.path.isfile(source) and _columns.is_table(source):
        return _columns.in_table(source, columns)
    if os.path.lexists(source):
        return _archives.in_file(source, choice) if _archives.is_archive(source) else iter([source])
    if glob.has_magic(source):
        return _at_least_one(_local.matches(source, choice), lambda: f"nothing matches {source}")
    raise NoImagesError(
        f"{short_name(source)} does not exist; name files, folders, globs, tar archives, URLs, or - to read paths from "
        "standard input"
    )


def _is_container(source: str) -> bool:
    return os.path.isfile(source) and (_archives.is_archive(source) or _columns.is_table(source))


def _at_least_one(images: Iterator[Image], otherwise: Callable[[], str]) -> Iterator[Image]:
    first = next(images, None)
    if first is None:
        raise NoImagesError(otherwise())
    return itertools.chain([first], images)
