"""Find the images that the user's arguments stand for, one after another."""

from __future__ import annotations

import functools
import glob
import itertools
import os
from collections.abc import Callable, Iterable, Iterator

from hubserve.internals import Choice, LeftOut, ahead, below, is_url, short_name

from ..shards import ALL, Shard
from . import _archives, _braces, _local, _remote, _table_rows
from ._items import Image, NoImagesError, Streamed, Unread, Wanted, name_of, unreadable
from ._table_files import is_table
from ._table_rows import Columns

__all__ = ["Choice", "Columns", "Image", "LeftOut", "NoImagesError", "Unread", "Wanted", "find", "name_of", "total"]

_NO_COLUMNS = Columns()


def find(
    sources: Iterable[str],
    *,
    wanted: Wanted = lambda _: True,
    shard: Shard = ALL,
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
        shard: The images to find: those whose names are in the shard, and of tables, whole row groups.
        null: The paths on standard input end with NUL, as those of `find -print0`; else with a line feed.
        choice: Chooses images among the files of folders, archives and buckets, and counts the others.
        columns: The columns of tables.

    Raises:
        NoImagesError: A source does not exist, or names no image.
        click.ClickException: A source cannot be reached.
    """
    choice = choice or Choice()
    each = [_all_of(source, null, choice, columns, shard) for source in sources]
    found = itertools.chain.from_iterable(itertools.chain.from_iterable(each))
    images = (image for image in found if _in(shard, image) and wanted(name_of(image)))
    return ahead(images, at_once=lambda image: isinstance(image, Streamed))


def total(
    sources: Iterable[str], wanted: Wanted, choice: Choice | None = None, columns: Columns = _NO_COLUMNS
) -> int | None:
    """Count the images if they are all in folders; None: other sources would have to be read.

    Args:
        sources: As for `find`.
        wanted: As for `find`.
        choice: Not the one of `find`, which counts the files that are left out itself.
        columns: As for `find`.
    """
    choice = choice or Choice()
    count = 0
    names = itertools.chain.from_iterable(
        [source] if source == "-" or os.path.lexists(source) else _braces.expanded(source) for source in sources
    )
    for source in names if columns.images is None else ():
        if source == "-" or is_url(source) or _is_container(source):
            return None
        for image in _found(source, False, choice, _NO_COLUMNS, ALL):
            if not isinstance(image, str):
                return None
            count += wanted(image)
    return count if columns.images is None else None


def _all_of(source: str, null: bool, choice: Choice, columns: Columns, shard: Shard) -> list[Iterator[Image]]:
    """Return the images of all names that a source with braces stands for.

    Of many archives, each belongs to one shard as a whole. Those that are left when all shards have the same number of
    them are cut by the names of their images.
    """
    names = [source] if source == "-" or os.path.lexists(source) else _braces.expanded(source)
    whole = 0
    if len(names) > 1 and all(map(_archives.is_archive, names)):
        whole = len(names) // shard.count * shard.count
    found = []
    for number, name in enumerate(names):
        if number >= whole:
            found.append(_found(name, null, choice, columns, shard))
        elif number % shard.count == shard.index:
            found.append(_whole(_found(name, null, choice.of_whole(), columns, shard)))
        elif not is_url(name) and not glob.has_magic(name) and not os.path.lexists(name):
            raise NoImagesError(f"{name} does not exist, which {source} stands for")
    return found


def _whole(images: Iterator[Image]) -> Iterator[Image]:
    for image in images:
        if isinstance(image, Unread):
            image.cut = True
        yield image


def _in(shard: Shard, image: Image) -> bool:
    return (isinstance(image, Unread) and image.cut) or shard.has(name_of(image))


def _found(source: str, null: bool, choice: Choice, columns: Columns, shard: Shard) -> Iterator[Image]:
    if source == "-":
        return _local.listed(columns, shard, null=null)
    if is_url(source):
        return _remote.found(source, choice, columns, shard)
    if os.path.isdir(source):
        return _in_folder(source, choice, columns, shard)
    if os.path.isfile(source) and is_table(source):
        return _table_rows.in_table(source, columns, shard)
    if os.path.lexists(source):
        return _archives.in_file(source, choice) if _archives.is_archive(source) else iter([source])
    if glob.has_magic(source):
        return _at_least_one(_local.matches(source, choice, columns, shard), lambda: f"nothing matches {source}")
    raise NoImagesError(
        f"{short_name(source)} does not exist; name files, folders, globs, tar archives, URLs, or - to read paths from "
        "standard input"
    )


def _in_folder(folder: str, choice: Choice, columns: Columns, shard: Shard) -> Iterator[Image]:
    if columns.images is not None:
        tables = _local.tables_below(folder, choice)
        # A folder that cannot be read may have tables or images.
        if (first := next(tables, None)) is not None and isinstance(first, tuple):
            return _table_rows.in_tables(itertools.chain([first], tables), columns, shard)
    return _at_least_one(
        below(folder, choice, unreadable),
        functools.partial(
            _remote.none_in, folder, choice, choice.left_out.copy(), _local.tables_below(folder, Choice())
        ),
    )


def _is_container(source: str) -> bool:
    return os.path.isfile(source) and (_archives.is_archive(source) or is_table(source))


def _at_least_one(images: Iterator[Image], otherwise: Callable[[], str]) -> Iterator[Image]:
    first = next(images, None)
    if first is None:
        raise NoImagesError(otherwise())
    return itertools.chain([first], images)
