"""Images in the rows of Parquet and Arrow files: a column holds their bytes or paths, another one their names."""

from __future__ import annotations

import functools
import itertools
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import click

from hubserve import ImageError, UsageError
from hubserve.internals import Remote, check_type, image_of, is_url

from ..shards import ALL, Shard
from ._items import Fetched, Image, NoImagesError, Unread, unreadable
from ._pieces import Piece
from ._table_files import Source, TableError, TableFile, first_line, open_table, unreachable

# A folder of a Hive-partitioned data set: `date=2024-01-01`.
_PARTITION = re.compile(r"[^=/]+=[^/]*")
# Tables behind URLs that are opened at a time.
_OPENERS = 8
Seen = Callable[[str, str], None]


def _ignore(_: str, __: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table that are read: `Columns(images="bytes", names="id")`.

    Attributes:
        images: The column with bytes or paths; None: the command line names none.
        names: The column with the names of the images; None: they are called by the numbers of their rows, from 0.
        seen: Called with a table and its fingerprint before its rows are read, if they are called by numbers.
    """

    images: str | None = None
    names: str | None = None
    seen: Seen = _ignore

    @property
    def wanted(self) -> list[str]:
        """The names of the columns."""
        return list(dict.fromkeys(name for name in (self.images, self.names) if name is not None))


def in_table(name: str, columns: Columns, shard: Shard = ALL, source: Source = None) -> Iterator[Image]:
    """Return the images of a table's rows, called `TABLE#NAME`, in the order of the rows.

    Rows are read as they are needed. If rows cannot be read, each is returned as an image that cannot be read.

    Args:
        name: The table: a path or a URL.
        columns: The columns.
        shard: The shard whose rows are returned: whole row groups, as far as possible.
        source: Opens the table, if it is not on this machine.

    Raises:
        NoImagesError: The table cannot be read, or does not have the columns, or the command line names none.
        MissingExtraError: pyarrow is not installed.
        click.ClickException: The table's file system fails.
    """
    try:
        with closing(open_table(name, source)) as table:
            _check(table, columns)
    except TableError as error:
        raise NoImagesError(f"{name} {error}") from error
    return rows_of(name, columns, shard, functools.partial(open_table, name, source))


def in_tables(found: Iterator[tuple[str, Source] | Image], columns: Columns, shard: Shard) -> Iterator[Image]:
    """Return the images of many tables, one after another; only the first one is checked before the run.

    A table that cannot be read is returned as an image that cannot be read.

    Args:
        found: Tables, each with the function that opens it, and folders that cannot be read.
        columns: As for `in_table`.
        shard: As for `in_table`.

    Raises:
        NoImagesError: As for `in_table`, of the first table.
    """
    first = next(found, None)
    if first is None:
        return iter(())
    begun = in_table(first[0], columns, shard, first[1]) if isinstance(first, tuple) else iter([first])

    def others() -> Iterator[Image]:
        for each, opening in _opened_ahead(found):
            if isinstance(each, tuple):
                yield from rows_of(each[0], columns, shard, opening)
            else:
                yield each

    return itertools.chain(begun, others())


def _opened_ahead(
    found: Iterator[tuple[str, Source] | Image],
) -> Iterator[tuple[tuple[str, Source] | Image, Callable[[], TableFile]]]:
    """Let other threads open the next tables: each shard reads the footers of all, and a bucket takes its time."""
    waiting: deque[tuple[Any, Callable[[], TableFile]]] = deque()
    with ThreadPoolExecutor(_OPENERS, thread_name_prefix="hubserve-tables") as openers:
        try:
            for each in found:
                name, source = each if isinstance(each, tuple) else ("", None)
                remote = source is not None
                opening = openers.submit(open_table, name, source).result if remote else None
                waiting.append((each, opening or functools.partial(open_table, name)))
                while waiting and (not remote or len(waiting) > _OPENERS):
                    yield waiting.popleft()
            yield from waiting
        finally:
            openers.shutdown(wait=False, cancel_futures=True)


def rows_of(name: str, columns: Columns, shard: Shard, opening: Callable[[], TableFile]) -> Iterator[Image]:
    """Return the images of a table's rows; if it cannot be read, an image that cannot be read.

    Args:
        name: The table.
        columns: As for `in_table`.
        shard: As for `in_table`.
        opening: Returns the open table.
    """
    try:
        with closing(opening()) as table:
            _check(table, columns)
            if columns.names is None:
                columns.seen(name, table.fingerprint())
            for piece in _pieces(table, columns, shard):
                yield from _rows(table, piece, columns)
    except TableError as error:
        yield unreadable(name, f"the table {error}")


def _pieces(table: TableFile, columns: Columns, shard: Shard) -> Iterator[Piece]:
    try:
        yield from table.pieces(columns.wanted, shard)
    except Exception as error:
        _stop_if_remote(table, error)
        raise TableError(f"breaks off ({error}), and the rows after that are missing: write it again") from error


def _rows(table: TableFile, piece: Piece, columns: Columns) -> Iterator[Image]:
    """Return the images of a piece, as many as it has rows."""
    assert columns.images is not None  # noqa: S101 - `_check` was called
    at = piece.first + piece.start
    end = piece.first + piece.stop
    folder = folder_of(table.name)
    try:
        for batch in table.batches(piece, columns.wanted):
            cells = batch.column(columns.images)
            kind = str(cells.type)
            keys = None if columns.names is None else batch.column(columns.names)
            for place in range(batch.num_rows):
                key = None if keys is None else _key(keys[place])
                yield _image(_called(table, columns, at, key), key, cells[place], kind, folder)
                at += 1
    except (GeneratorExit, click.ClickException):
        raise
    # Corrupt data raises errors of many kinds.
    except Exception as error:  # noqa: BLE001
        _stop_if_remote(table, error)
        why = f"its row group cannot be read ({first_line(error)}): write the table again"
        for key in _keys(table, piece, columns, at):
            yield _failed(_called(table, columns, at, key), key, why)
            at += 1
    assert at == end  # noqa: S101 - each row is returned once


def _called(table: TableFile, columns: Columns, number: int, key: str | None) -> str:
    if columns.names is None:
        return f"{table.name}#{number}"
    # A number alone could be the name of another row.
    return f"{table.name}#row {number}" if key is None else f"{table.name}#{key}"


def _keys(table: TableFile, piece: Piece, columns: Columns, at: int) -> Iterator[str | None]:
    """Return what the rows from `at` on are called, of a piece whose images cannot be read."""
    left = piece.first + piece.stop - at
    known: list[str | None] = []
    if columns.names is not None and columns.names != columns.images:
        rest = piece._replace(start=at - piece.first)
        try:
            for batch in table.batches(rest, [columns.names]):
                known += [_key(cell) for cell in batch.column(columns.names)]
        # The column with the names is broken, too.
        except Exception as error:  # noqa: BLE001
            _stop_if_remote(table, error)
    return iter([*known, *[None] * (left - len(known))])


def _stop_if_remote(table: TableFile, error: Exception) -> None:
    """End the run if the file system failed: the rows themselves may be whole.

    Raises:
        click.ClickException: The file system failed.
    """
    if table.error is not None:
        raise unreachable(table.name, table.error) from error


def _check(table: TableFile, columns: Columns) -> None:
    """Refuse a table without the columns.

    Raises:
        TableError: The columns are not there, or their types do not fit.
    """
    import pyarrow as pa

    names = table.schema.names
    known = ", ".join(map(str, names)) or "none"
    if columns.images is None:
        raise TableError(f"is a table: give --column, the column with the images, one of {known}")
    for name in columns.wanted:
        if names.count(name) == 0:
            raise TableError(f"does not have the column {name}: it has {known}")
        if names.count(name) > 1:
            raise TableError(f"has {names.count(name)} columns {name}: rename all but one of them")
    try:
        check_type(table.schema.field(columns.images).type, columns.images)
    except UsageError as error:
        raise TableError(f"cannot be used: {error}") from error
    if columns.names is None:
        return
    kind = table.schema.field(columns.names).type
    while pa.types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType):
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind.storage_type
    if pa.types.is_nested(kind) or pa.types.is_floating(kind):
        raise TableError(
            f"cannot be used: the column {columns.names!r} is of type {kind}, which cannot name images: give "
            "--id-column a column of text or whole numbers, or leave it out"
        )


def _key(cell: Any) -> str | None:
    try:
        value = cell.as_py()
    except UnicodeDecodeError:
        value = cell.as_buffer().to_pybytes()
    if value is None:
        return None
    return os.fsdecode(value) if isinstance(value, bytes) else str(value)


def folder_of(table: str) -> str:
    """Return the folder that relative paths in a table are relative to: the table's own, or that of its data set.

    Folders like `date=2024-01-01`, which a Hive-partitioned data set has, are left out.
    """
    head, chain, rest = table.partition("::")
    folder, separator, _ = (head if chain else table).rpartition("/")
    while separator and _PARTITION.fullmatch(folder.rpartition("/")[2]):
        folder, separator, _ = folder.rpartition("/")
    return f"{folder}{separator}" + (chain + rest if chain else "")


def _image(name: str, key: str | None, cell: Any, kind: str, folder: str) -> Image:
    """Return the image of a row: its path or URL is known now, and its bytes when they are read."""
    if _holds_bytes(cell, kind):
        return Unread(name, lambda _: _bytes_of(cell), key=key, cut=True)
    try:
        found: Any = image_of(cell.as_py())
    except UnicodeDecodeError as error:
        return _failed(name, key, f"the path in its row is not UTF-8 ({error}): write the column again")
    file = _resolved(found, folder) if isinstance(found, str) else found
    if isinstance(file, Remote):
        return Fetched(name, file, key=key, cut=True)
    if isinstance(file, str):
        return Unread(name, functools.partial(_read, file), key=key, cut=True)
    if isinstance(file, bytes):
        return Unread(name, lambda _: file, key=key, cut=True)
    return Unread(name, file.read, key=key, cut=True)


def _holds_bytes(cell: Any, kind: str) -> bool:
    if kind.startswith("struct"):
        names = [field.name for field in cell.type]
        return bool(cell.is_valid and "bytes" in names and cell["bytes"].is_valid)
    return bool(cell.is_valid and "binary" in kind.partition("[")[0])


def _bytes_of(cell: Any) -> bytes:
    data = image_of(cell.as_py())
    assert isinstance(data, bytes)  # noqa: S101 - `_holds_bytes` has told
    return data


def _resolved(path: str, folder: str) -> str | Remote:
    """Return a path relative to the table as a path on this machine, or as a URL if the table is behind one."""
    if os.path.isabs(path):
        return path
    head, chain, rest = folder.partition("::")
    joined = f"{head}{path}{chain}{rest}"
    return Remote(joined) if is_url(joined) else joined


def _read(path: str, size: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}: check that it can be read") from error
    except ValueError as error:
        raise ImageError(f"{path!r} is not a path ({error}): correct it in the table") from error


def _failed(name: str, key: str | None, why: str) -> Unread:
    def fail(_: int) -> bytes:
        raise ImageError(why)

    return Unread(name, fail, key=key, cut=True)
