"""What a result looks like in a file or on the screen: a record for each image, whole in itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from hubserve import Classification

from ._csv import Csv
from ._jsonl import Jsonl
from ._read import Earlier
from ._table import Table, shown

__all__ = ["FORMATS", "Earlier", "Format", "Readable", "Table", "readable", "shown"]


class Format(Protocol):
    """Makes records: bytes, with their end."""

    header: bytes

    def record(self, result: Classification) -> bytes:
        """Return the record of one result."""


class Readable(Format, Protocol):
    """Also reads what it has written, for a run that goes on."""

    def pieces(self, file: BinaryIO) -> Iterator[bytes]:
        """Cut a file into records after the header; the last may be torn."""

    def whole(self, piece: bytes) -> bool:
        """Tell whether the piece is a record to its end."""

    def read(self, piece: bytes) -> Earlier:
        """Read a whole record. Raises ValueError when it is none."""


_CSV_CLASSES = 1
FORMATS = ("table", "jsonl", "csv", "parquet")


def readable(name: str, *, top_k: int | None) -> Readable:
    """Return the format of a file; Parquet is made of JSON lines at the end of a run."""
    return Csv(top_k or _CSV_CLASSES) if name == "csv" else Jsonl()
