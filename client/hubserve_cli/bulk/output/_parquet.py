"""Parquet files, made from JSON lines at the end of a run: an unfinished Parquet file cannot be read."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator
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
    name as it is), `status` (int32), `error` (string), `model_version` (int64), and lists `class_ids` (int32), `labels`
    (string), `scores` (float64), best first.

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


def results(path: Path) -> Iterator[Classification]:
    """Return the results in a finished file, in their order.

    Raises:
        OutputError: hubserve did not write the file.
    """
    pa = pyarrow()
    try:
        with pa.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    name = row["source_bytes"]
                    yield recorded(
                        row["source"] if name is None else name.decode("utf-8", "surrogateescape"),
                        row["status"],
                        row["error"],
                        row["model_version"],
                        zip(row["class_ids"], row["labels"], row["scores"], strict=True),
                    )
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise OutputError(f"{path} is not a Parquet file that hubserve wrote: give another --output") from error


def _schema(pa: Any) -> Any:
    return pa.schema(
        [
            pa.field("source", pa.string(), nullable=False),
            ("source_bytes", pa.binary()),
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
        "status": document["status"],
        "error": document["error"] and _readable(document["error"]),
        "model_version": document["model_version"],
        "class_ids": [found["class_id"] for found in classes],
        "labels": [found["label"] for found in classes],
        "scores": [found["score"] for found in classes],
    }


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
