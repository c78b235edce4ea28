"""Images on this machine: in folders, files that match a pattern, and paths on standard input."""

from __future__ import annotations

import functools
import glob
import io
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from hubserve.internals import OTHER, Choice, is_url, not_a_path, short_name

from ..shards import Shard
from . import _archives, _remote, _table_rows
from ._items import Image, unreadable
from ._table_files import hidden, is_table, open_table
from ._table_rows import Columns

_CHUNK = 2**16


def matches(pattern: str, choice: Choice, columns: Columns, shard: Shard) -> Iterator[Image]:
    """Return the files that match a pattern, in the file system's order, and the images in archives and tables.

    With a column, folders that match are data sets, unless the pattern with `**` matches the files in them, too.
    """
    checked = False
    for match in glob.iglob(pattern, recursive=True):
        if is_table(match) and os.path.isfile(match):
            if hidden(match, pattern):
                continue
            # The first one is looked at before the run; another one that cannot be read does not end it.
            yield from (_read_later if checked else _table_rows.in_table)(match, columns, shard)
            checked = True
        elif _archives.is_archive(match) and os.path.isfile(match):
            yield from _archives.in_file(match, choice)
        elif columns.images is not None and os.path.isdir(match):
            # `**` itself matches the files in the folder, too.
            if "**" not in pattern and not hidden(match, pattern):
                yield from _table_rows.in_tables(tables_below(match, choice), columns, shard)
        # A link to a file that does not exist matches too: reading it fails, and the record says so.
        elif not os.path.isdir(match):
            yield match


def tables_below(folder: str, choice: Choice) -> Iterator[tuple[str, None] | Image]:
    """Return the tables below a folder, in the order of their names; other files are counted.

    Files and folders whose names begin with `_` or `.` are left out, as those that read data sets do.
    """
    failures: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=failures.append):
        while failures:
            failure = failures.pop()
            yield unreadable(os.fsdecode(failure.filename), f"the folder cannot be read ({failure.strerror})")
        folders[:] = sorted(name for name in folders if not name.startswith(("_", ".")))
        for name in sorted(files):
            path = os.path.join(parent, name)
            if name.startswith(("_", ".")):
                continue
            if is_table(name):
                yield path, None
            else:
                choice.by_kind(path, OTHER)
    for failure in failures:
        yield unreadable(os.fsdecode(failure.filename), f"the folder cannot be read ({failure.strerror})")


def listed(columns: Columns, shard: Shard, *, null: bool) -> Iterator[Image]:
    """Return each path on standard input as it comes, and with a column, the rows of tables among them.

    Names are read as bytes: they need not be UTF-8.
    """
    for line in _between(sys.stdin.buffer, b"\0" if null else b"\n"):
        name = os.fsdecode(line)
        if columns.images is None or not is_table(name):
            yield _image(name)
        elif is_url(name):
            yield from _remote.table(name, columns, shard)
        else:
            yield from _read_later(name, columns, shard)


def _read_later(table: str, columns: Columns, shard: Shard) -> Iterator[Image]:
    return _table_rows.rows_of(table, columns, shard, functools.partial(open_table, table))


def _image(name: str) -> Image:
    # A text that cannot be a path is shortened in records and errors.
    if (short := short_name(name)) != name:
        return unreadable(short, not_a_path(name) or "this is not a path")
    return _remote.file(name) if is_url(name) else name


def _between(file: BinaryIO, separator: bytes) -> Iterator[bytes]:
    """Return the pieces between separators, without empty ones."""
    rest = b""
    # read1 returns what is there, so that the first images are sent while `find` still searches.
    while chunk := (file.read1(_CHUNK) if isinstance(file, io.BufferedReader) else file.read(_CHUNK)):
        *whole, rest = (rest + chunk).split(separator)
        yield from filter(None, whole)
    if rest:
        yield rest
