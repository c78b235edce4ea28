"""Images behind URLs, through fsspec: buckets, web servers, and all its other file systems."""

from __future__ import annotations

import functools
import glob
import itertools
import os
from collections.abc import Callable, Iterator
from typing import IO, Any

import click

from hubserve.internals import HEAD_BYTES, MOST_BYTES, OTHER, Choice, LeftOut, Remote

from ...common.exit_codes import MissingExtraError
from ..shards import Shard
from . import _archives, _table_rows
from ._items import Fetched, Image, NoImagesError, unreadable
from ._table_files import TableFile, hidden, is_table, open_table
from ._table_rows import Columns


def _file(url: str, system: Any, path: str) -> Fetched:
    def fetch() -> bytes:
        with _open(system, path) as opened:
            return opened.read(MOST_BYTES)

    return Fetched(url, Remote(url, fetch))


def file(url: str) -> Image:
    """Return one file, without looking whether it exists."""
    try:
        system, path = _system(url)
    # Each file system raises its own errors.
    except Exception as error:  # noqa: BLE001
        return unreadable(url, getattr(error, "message", None) or f"no file system opens it ({error})")
    return _file(url, system, path)


def table(url: str, columns: Columns, shard: Shard) -> Iterator[Image]:
    """Return the rows of one table, without looking whether it exists."""

    def opening() -> TableFile:
        system, path = _system(url)
        return open_table(url, functools.partial(_ranged, system, path))

    return _table_rows.rows_of(url, columns, shard, opening)


def found(url: str, choice: Choice, columns: Columns, shard: Shard) -> Iterator[Image]:
    """Return the images that a URL stands for: a file, a folder with all below it, an archive, tables, or a pattern.

    Raises:
        NoImagesError: There is no image at the URL.
        click.ClickException: It cannot be reached; or fsspec, or a package for this kind of URL, is not installed.
    """
    try:
        system, path = _system(url)
        if system.isfile(path):
            return _one(url, system, path, choice, columns, shard)
        if system.isdir(path):
            if columns.images is not None:
                tables = _tables_below(url, system, path, choice)
                if (first := next(tables, None)) is not None:
                    return _table_rows.in_tables(itertools.chain([first], tables), columns, shard)
            images = _walk(url.rstrip("/"), system, path, functools.partial(_chosen, choice))
            tables = _tables_below(url, system, path, Choice())
            otherwise = functools.partial(none_in, url, choice, choice.left_out.copy(), tables)
        elif glob.has_magic(path):
            entries = system.glob(path, detail=True)
            images = _matches(system, path, entries, choice, columns, shard)
            otherwise = functools.partial("nothing matches {}".format, url)
        else:
            raise NoImagesError(f"{url} does not exist")
        first = next(images, None)
    except click.ClickException:
        raise
    except Exception as error:
        raise click.ClickException(f"{url} cannot be reached: {error or type(error).__name__}") from error
    if first is None:
        raise NoImagesError(otherwise())
    return itertools.chain([first], images)


def none_in(name: str, choice: Choice, before: LeftOut, tables: Iterator[object]) -> str:
    """Return the sentence about a folder without images, which may have tables."""
    text = choice.none_in(name, before)
    return f"{text}; --column reads its tables" if next(tables, None) is not None else text


def _tables_below(url: str, system: Any, path: str, choice: Choice) -> Iterator[Any]:
    return _walk(url.rstrip("/"), system, path, functools.partial(_table, choice), hidden=False)


def _matches(
    system: Any, pattern: str, entries: dict[str, dict[str, Any]], choice: Choice, columns: Columns, shard: Shard
) -> Iterator[Image]:
    checked = False
    for path, about in sorted(entries.items()):
        url = system.unstrip_protocol(path)
        if about["type"] == "directory":
            # `**` itself matches the files in the folder, too.
            if columns.images is not None and "**" not in pattern and not hidden(path, pattern):
                yield from _table_rows.in_tables(_tables_below(url, system, path, choice), columns, shard)
        elif not is_table(path):
            yield from _one(url, system, path, choice, columns, shard)
        elif not hidden(path, pattern):
            # The first one is looked at before the run; another one that cannot be read does not end it.
            yield from table(url, columns, shard) if checked else _one(url, system, path, choice, columns, shard)
            checked = True


def _one(url: str, system: Any, path: str, choice: Choice, columns: Columns, shard: Shard) -> Iterator[Image]:
    if is_table(path):
        return _table_rows.in_table(url, columns, shard, functools.partial(_ranged, system, path))
    if _archives.is_archive(path):
        return _archives.images(url, lambda: _open(system, path), choice)
    return iter([_file(url, system, path)])


def _system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it.

    Raises:
        click.ClickException: fsspec, or a package for this kind of URL, is not installed.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingExtraError(f"{url} needs fsspec", "remote") from error
    try:
        system, path = url_to_fs(url)
    except ImportError as error:
        raise click.ClickException(f"{url} needs a package besides fsspec: {error}") from error
    return system, path


def _walk(
    url: str, system: Any, root: str, take: Callable[[str, Any, str], Any], *, hidden: bool = True
) -> Iterator[Any]:
    """Walk with one folder's names in memory; fsspec's own walk hides folders that it cannot read.

    Args:
        url: The root, as the user spelled it.
        system: The file system.
        root: The root's path in it.
        take: Called with each file's URL, the file system and the path; None is left out.
        hidden: Look into folders whose names begin with `_` or `.`, too.
    """
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(system.ls(folder, detail=True), key=lambda entry: str(entry["name"]))
        # Each file system raises its own errors.
        except Exception as error:  # noqa: BLE001
            yield unreadable(_url(url, root, system, folder), f"the folder cannot be read ({error})")
            continue
        # The file system would keep every name that it has ever listed.
        system.invalidate_cache(folder)
        below = []
        for entry in entries:
            path = entry["name"]
            if not hidden and path.rstrip("/").rpartition("/")[2].startswith(("_", ".")):
                continue
            if entry["type"] == "directory":
                # Some file systems list a folder as its own member.
                below += [path] if path.rstrip("/") != folder.rstrip("/") else []
            elif (taken := take(_url(url, root, system, path), system, path)) is not None:
                yield taken
        folders += reversed(below)


def _table(choice: Choice, url: str, system: Any, path: str) -> tuple[str, Callable[[], IO[bytes]]] | None:
    """Return a table of a data set; other files are counted."""
    if not is_table(path):
        choice.by_kind(url, OTHER)
        return None
    return url, functools.partial(_ranged, system, path)


def _chosen(choice: Choice, url: str, system: Any, path: str) -> Fetched | None:
    return _file(url, system, path) if _takes(system, path, choice) else None


def _takes(system: Any, path: str, choice: Choice) -> bool:
    """Tell whether a remote file is taken for an image; if not, it is counted.

    To read a file costs a request, so only files without a suffix are read; others are chosen by their suffix.
    """
    if choice.by_name(path) or os.path.splitext(path)[1]:
        return choice.by_suffix(path)
    try:
        with _open(system, path) as opened:
            return choice.by_head(path, opened.read(HEAD_BYTES))
    # The file will be among the results, with the reason. Each file system raises its own errors.
    except Exception:  # noqa: BLE001
        return True


def _url(url: str, root: str, system: Any, path: str) -> str:
    """Return a path's URL, spelled as the user spelled that of the root."""
    root = root.rstrip("/")
    return url + path[len(root) :] if path.startswith(root) else str(system.unstrip_protocol(path))


def _open(system: Any, path: str) -> IO[bytes]:
    opened: IO[bytes] = system.open(path, "rb")
    return opened


def _ranged(system: Any, path: str) -> IO[bytes]:
    """Open a file of which parts are read: Arrow asks for the parts that it needs, and no more is to be read ahead."""
    try:
        opened: IO[bytes] = system.open(path, "rb", cache_type="none")
    except TypeError:
        opened = _open(system, path)
    return opened
