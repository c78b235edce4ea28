"""Images in the rows of Parquet and Arrow files: a column holds their bytes or paths, another one their names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hubserve import ImageError
from hubserve.internals import image_of

from ...common.exit_codes import MissingExtraError
from ._items import Image, NoImagesError, Unread

_PARQUET = (".parquet", ".pq")
_ARROW = (".arrow", ".feather", ".ipc", ".arrows")
# Read into Python's objects at a time.
_ROWS = 64


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table that are read: `Columns(images="bytes", names="id")`.

    Attributes:
        images: The column with bytes or paths; None: the command line names none.
        names: The column with the names of the images; None: they are called by the numbers of their rows, from 0.
    """

    images: str | None = None
    names: str | None = None


def is_table(path: str) -> bool:
    """Return whether a file is read as a table, which its suffix says."""
    return path.lower().endswith(_PARQUET + _ARROW)


def in_table(path: str, columns: Columns) -> Iterator[Image]:
    """Return the images of a table's rows, called `FILE#NAME`, in the order of the rows.

    Rows are read as they are needed.

    Raises:
        NoImagesError: It cannot be read, does not have the columns, or the command line names none.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(f"{path} needs pyarrow", "parquet") from error
    try:
        schema, batches = _opened(pa, path)
    except (pa.ArrowException, OSError) as error:
        raise NoImagesError(f"{path} cannot be read as a table: {error}") from error
    wanted = [name for name in (columns.images, columns.names) if name is not None]
    known = ", ".join(schema.names) or "none"
    if columns.images is None:
        raise NoImagesError(f"{path} is a table: give --column, the column with the images, one of {known}")
    for name in wanted:
        if schema.names.count(name) != 1:
            raise NoImagesError(f"{path} does not have one column {name}: it has {known}")
    kind = schema.field(columns.images).type
    if not any(word in str(kind) for word in ("binary", "string", "struct<bytes", "struct<path", "null")):
        raise NoImagesError(f"the column {columns.images} of {path} is of type {kind}: images are bytes or paths")
    return _images(path, batches, columns)


def _opened(pa: Any, path: str) -> tuple[Any, Iterator[Any]]:
    """Return a table's schema, and its record batches."""
    if path.lower().endswith(_PARQUET):
        file = pa.parquet.ParquetFile(path)
        return file.schema_arrow, file.iter_batches(batch_size=_ROWS)
    source = pa.memory_map(path)
    try:
        table = pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        return stream.schema, iter(stream)
    return table.schema, (table.get_batch(number) for number in range(table.num_record_batches))


def _images(path: str, batches: Iterator[Any], columns: Columns) -> Iterator[Image]:
    rows = itertools.count()
    for batch in batches:
        cells = batch.column(columns.images)
        names = None if columns.names is None else batch.column(columns.names)
        for place, number in zip(range(batch.num_rows), rows, strict=False):
            name = number if names is None else names[place].as_py()
            # A row without a name is called by its number.
            yield _image(f"{path}#{number if name is None else name}", cells[place])


def _image(name: str, cell: Any) -> Image:
    def read(size: int) -> bytes:
        image: Any = image_of(cell.as_py())
        if isinstance(image, bytes):
            return image
        if isinstance(image, str):
            try:
                with open(image, "rb") as file:
                    return file.read(size)
            except OSError as error:
                raise ImageError(f"{image}: {error.strerror}: check that it can be read") from error
        data: bytes = image.read(size)
        return data

    return Unread(name, read)
