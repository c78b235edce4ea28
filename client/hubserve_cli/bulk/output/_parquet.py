"""Parquet files, made from JSON lines at the end of a run: an unfinished Parquet file cannot be read."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from hubserve import Classification

from ...common.exit_codes import MissingExtraError
from ...common.files import replaced
from ..records import recorded
from ._file import OutputError

_ROWS_IN_GROUP = 2**16
# Rows that are turned into Python objects at a time.
_ROWS_AT_ONCE = 2**13
_FAILED = b"hubserve.failed"


def pyarrow() -> Any:
    """Import pyarrow with its Parquet module.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("Parquet needs pyarrow", "parquet") from error
    return pyarrow


def convert(lines: Path, path: Path, failed: int) -> None:
    """Make a Parquet file from JSON lines: whole, or not at all.

    Columns: `source` (string; bytes that are not UTF-8 as `\\xff`), `source_bytes` (binary, only for such names: the
    name as it is), `id` (string: the value of the id column, or the key of a WebDataset sample), `status` (int32),
    `error` (string), `model_version` (int64), and lists `class_ids` (int32), `labels` (string), `scores` (float64),
    best first.

    Raises:
        OutputError: It cannot be written; the lines are kept.
    """
    pa = pyarrow()
    schema = _schema(pa).with_metadata({_FAILED: str(failed).encode()})
    try:
        with (
            lines.open("rb") as file,
            replaced(path) as new,
            pa.parquet.ParquetWriter(new, schema) as writer,
        ):
            for tables in _grouped(_tables(pa, schema, file)):
                writer.write_table(pa.concat_tables(tables), row_group_size=_ROWS_IN_GROUP)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({os.strerror(error.errno) if error.errno else error}): the records are in "
            f"{lines}; make room, and go on with --resume"
        ) from error


def counted(path: Path) -> tuple[int, int]:
    """Return the number of images in a finished file, and of those that were not classified.

    Raises:
        OutputError: hubserve did not write the file.
    """
    pa = pyarrow()
    try:
        metadata = pa.parquet.read_metadata(path)
        return metadata.num_rows, int(metadata.metadata[_FAILED])
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise OutputError(f"{path} is not a Parquet file that hubserve wrote: give another --output") from error


def results(path: Path, *, classes: bool = True) -> Iterator[Classification]:
    """Return the results in a finished file, in their order.

    Args:
        path: The file.
        classes: Read the classes, too.

    Raises:
        OutputError: hubserve did not write the file.
    """
    pa = pyarrow()
    read = ["source", "source_bytes", "status", "error", "model_version"]
    read += ["class_ids", "labels", "scores"] if classes else []
    try:
        with pa.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=read):
                for row in batch.to_pylist():
                    yield recorded(
                        _named(row["source"], row["source_bytes"]),
                        row["status"],
                        row["error"],
                        row["model_version"],
                        zip(row["class_ids"], row["labels"], row["scores"], strict=True) if classes else (),
                    )
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise OutputError(f"{path} is not a Parquet file that hubserve wrote: give another --output") from error


def without(path: Path, names: Container[str]) -> None:
    """Remove the rows of some images: the file is replaced whole, removed if no row is left, or stays as it was.

    Args:
        path: A finished file.
        names: Of the images; those that are not classified must be among them.

    Raises:
        OutputError: It cannot be written, or hubserve did not write it.
    """
    pa = pyarrow()
    try:
        table = pa.parquet.read_table(path, partitioning=None)
        sources, octets = table["source"].to_pylist(), table["source_bytes"].to_pylist()
        keep = [_named(source, data) not in names for source, data in zip(sources, octets, strict=True)]
        if all(keep):
            return
        if not any(keep):
            path.unlink()
            return
        with replaced(path) as new:
            left = table.filter(pa.array(keep)).replace_schema_metadata({_FAILED: b"0"})
            pa.parquet.write_table(left, new, row_group_size=_ROWS_IN_GROUP)
    except (pa.ArrowException, KeyError) as error:
        raise OutputError(f"{path} is not a Parquet file that hubserve wrote: give another --output") from error
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error}): it is not changed") from error


def _named(source: str, data: bytes | None) -> str:
    return source if data is None else data.decode("utf-8", "surrogateescape")


def _schema(pa: Any) -> Any:
    return pa.schema(
        [
            pa.field("source", pa.string(), nullable=False),
            ("source_bytes", pa.binary()),
            ("id", pa.string()),
            ("status", pa.int32()),
            ("error", pa.string()),
            ("model_version", pa.int64()),
            ("class_ids", pa.list_(pa.int32())),
            ("labels", pa.list_(pa.string())),
            ("scores", pa.list_(pa.float64())),
        ]
    )


def _tables(pa: Any, schema: Any, file: Iterable[bytes]) -> Iterator[Any]:
    lines = iter(file)
    while some := list(itertools.islice(lines, _ROWS_AT_ONCE)):
        yield pa.Table.from_pylist([_row(json.loads(line)) for line in some], schema=schema)


def _grouped(tables: Iterator[Any]) -> Iterator[list[Any]]:
    while some := list(itertools.islice(tables, _ROWS_IN_GROUP // _ROWS_AT_ONCE)):
        yield some


def _row(document: dict[str, Any]) -> dict[str, Any]:
    name = document["source"].encode("utf-8", "surrogateescape")
    classes = document["classes"]
    readable = name.decode("utf-8", "backslashreplace")
    return {
        "source": readable,
        "source_bytes": None if readable == document["source"] else name,
        "id": _readable(document["id"]) if "id" in document else None,
        "status": document["status"],
        "error": document["error"] and _readable(document["error"]),
        "model_version": document["model_version"],
        "class_ids": [found["class_id"] for found in classes],
        "labels": [found["label"] for found in classes],
        "scores": [found["score"] for found in classes],
    }


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
