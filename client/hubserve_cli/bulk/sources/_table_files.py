"""Parquet and Arrow files, read in parts: their columns, their row groups, and the rows of one row group."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, TypeAlias

import click

from ...common.exit_codes import MissingExtraError
from ..shards import Shard, number_of
from ._pieces import Group, Piece, pieces

_PARQUET = (".parquet", ".pq", ".parq")
_ARROW = (".arrow", ".feather", ".ipc", ".arrows")
# Arrow reads a column in blocks of this size, and not a whole row group at once.
_BUFFER_BYTES = 2**20
_REMOTE_BUFFER_BYTES = 2**22
# Rows that are read together: as many as have so many bytes.
_BATCH_BYTES = 2**24
_MOST_ROWS = 2**10


_WHOLE_FILES = "is on a server that gives no parts of files, which tables need: copy it to a disk or a bucket"
# Opens a file that is not on this machine; None: it is.
Source: TypeAlias = Callable[[], IO[bytes]] | None


class TableError(Exception):
    """A table cannot be read: the text follows its name, and says why and what to do."""


def is_table(name: str) -> bool:
    """Tell whether a file is read as a table, by its suffix."""
    return name.lower().endswith(_PARQUET + _ARROW)


def hidden(match: str, pattern: str) -> bool:
    """Tell whether a match is in a hidden place of a data set, which the pattern does not name itself."""
    return any(part.startswith(("_", ".")) and part not in pattern for part in re.split(r"[/\\]", match))


def pyarrow(name: str) -> Any:
    """Import pyarrow with its modules for files.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(f"{name} needs pyarrow", "parquet") from error
    return pa


class Watched:
    """A file that is read in ranges, and that keeps the error of its last read: Arrow turns it into one of its own.

    Args:
        file: A file with `read`, `seek` and `tell`.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.error: Exception | None = None

    @property
    def closed(self) -> bool:
        """Tell whether the file was closed."""
        return self._file.closed

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        try:
            return self._file.read(size)
        except Exception as error:
            self.error = error
            raise

    def seek(self, to: int, whence: int = 0) -> int:
        """Go to a place in the file."""
        return self._file.seek(to, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._file.tell()

    def readable(self) -> bool:
        """Tell that the file can be read."""
        return True

    def seekable(self) -> bool:
        """Tell whether ranges can be read."""
        return self._file.seekable()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TableFile:
    """One open table: `table.batches(piece, ["id", "bytes"])`.

    Attributes:
        name: The table, as it is spelled in the results.
        schema: Its columns.
        error: The error of a remote file system, if one was raised.
    """

    def __init__(self, name: str, pa: Any, source: str | Watched) -> None:
        self.name = name
        self._pa = pa
        self._source = source
        self._parquet: Any = None
        self._arrow: Any = None
        self._stream: Any = None
        if name.partition("::")[0].lower().endswith(_PARQUET):
            size = _BUFFER_BYTES if isinstance(source, str) else _REMOTE_BUFFER_BYTES
            self._parquet = pa.parquet.ParquetFile(source, buffer_size=size, pre_buffer=False)
            self.schema = self._parquet.schema_arrow
            return
        self._file = pa.memory_map(source) if isinstance(source, str) else pa.PythonFile(source, "r")
        try:
            self._arrow = pa.ipc.open_file(self._file)
            self.schema = self._arrow.schema
        except pa.ArrowInvalid:
            self._file.seek(0)
            self._stream = pa.ipc.open_stream(self._file)
            self.schema = self._stream.schema

    @property
    def error(self) -> Exception | None:
        """The error of a remote file system, if one was raised."""
        return self._source.error if isinstance(self._source, Watched) else None

    def close(self) -> None:
        """Close the file."""
        if self._parquet is not None:
            self._parquet.close(force=True)
        else:
            self._file.close()

    def fingerprint(self) -> str:
        """Return a text that is another one when the rows of the file are replaced."""
        if self._parquet is not None:
            about = self._parquet.metadata
            groups = [about.row_group(number) for number in range(about.num_row_groups)]
            sizes = [
                (group.num_rows, *(group.column(place).total_compressed_size for place in range(group.num_columns)))
                for group in groups
            ]
        else:
            sizes = [(self._file.size(),)]
        return hashlib.blake2b(repr((str(self.schema), sizes)).encode(), digest_size=8).hexdigest()

    def pieces(self, columns: Sequence[str], shard: Shard) -> Iterator[Piece]:
        """Return the pieces of a shard; those of a stream are found while it is read.

        Args:
            columns: The columns that are read.
            shard: The shard.
        """
        if self._stream is None:
            yield from pieces(self.name, self._groups(columns), shard)
            return
        # The number of batches of a stream is not known before its end.
        turn, first = number_of(self.name, shard.count), 0
        for number, batch in enumerate(self._stream):
            self._batch = batch
            rows = batch.num_rows
            if rows and turn % shard.count == shard.index:
                yield Piece(number, first, 0, rows)
            turn += rows > 0
            first += rows

    def batches(self, piece: Piece, columns: Sequence[str]) -> Iterator[Any]:
        """Return the rows of a piece as record batches."""
        if self._parquet is None:
            batch = self._batch if self._stream is not None else self._arrow.get_batch(piece.group)
            yield batch.slice(piece.start, piece.stop - piece.start)
            return
        group = self._groups(columns)[piece.group]
        rows = max(1, min(_MOST_ROWS, _BATCH_BYTES * group.rows // max(1, self._unpacked(piece.group, columns))))
        at = 0
        for batch in self._parquet.iter_batches(rows, row_groups=[piece.group], columns=list(columns)):
            start, stop = max(piece.start - at, 0), min(piece.stop - at, batch.num_rows)
            if start < stop:
                yield batch.slice(start, stop - start)
            at += batch.num_rows
            # What comes after the piece is not read.
            if at >= piece.stop:
                return

    def _groups(self, columns: Sequence[str]) -> list[Group]:
        if self._parquet is not None:
            about = self._parquet.metadata
            return [
                Group(about.row_group(number).num_rows, self._size(number, columns, "total_compressed_size"))
                for number in range(about.num_row_groups)
            ]
        count = self._arrow.num_record_batches
        size = self._file.size() // max(1, count)
        return [Group(self._arrow.get_batch(number).num_rows, size) for number in range(count)]

    def _unpacked(self, number: int, columns: Sequence[str]) -> int:
        return self._size(number, columns, "total_uncompressed_size")

    def _size(self, number: int, columns: Sequence[str], what: str) -> int:
        group = self._parquet.metadata.row_group(number)
        chunks = (group.column(place) for place in range(group.num_columns))
        return sum(
            int(getattr(chunk, what))
            for chunk in chunks
            if chunk.path_in_schema in columns or chunk.path_in_schema.startswith(tuple(f"{name}." for name in columns))
        )


def open_table(name: str, source: Source = None) -> TableFile:
    """Open a table; it must be closed.

    Args:
        name: The table, as it is spelled in the results.
        source: Opens the file, if it is not on this machine.

    Raises:
        TableError: It cannot be opened, or is not a table.
        MissingExtraError: pyarrow is not installed.
        click.ClickException: Its file system fails.
    """
    pa = pyarrow(name)
    file: str | Watched = name
    try:
        if source is not None:
            file = Watched(source())
            if not file.seekable():
                raise TableError(_WHOLE_FILES)
        return TableFile(name, pa, file)
    # Each remote file system raises its own errors.
    except Exception as error:
        if isinstance(file, Watched):
            file.close()
        if isinstance(error, TableError):
            raise
        # It did not open, or a read failed.
        remote = file.error if isinstance(file, Watched) else error if source is not None else None
        # fsspec tells so of a web server when the second range is asked for.
        if isinstance(remote, ValueError) and "range" in str(remote):
            raise TableError(_WHOLE_FILES) from error
        if isinstance(remote, FileNotFoundError | PermissionError | IsADirectoryError):
            raise TableError(
                f"cannot be opened ({remote or type(remote).__name__}): check that you may read it"
            ) from error
        if remote is not None:
            raise unreachable(name, remote) from error
        raise TableError(f"cannot be read as a table ({first_line(error)}): write it again") from error


def unreachable(name: str, error: Exception) -> click.ClickException:
    """Return the error that ends a run whose file system fails: the rows themselves may be whole."""
    return click.ClickException(
        f"{name} cannot be read any further ({error or type(error).__name__}): go on with --resume when it can be "
        "reached"
    )


def first_line(error: Exception) -> str:
    """Return the first line of an error's text: Arrow adds others."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
