"""CSV as RFC 4180 has it, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from hubserve import Classification

from ._read import Earlier

_BEFORE_THE_CLASSES = ("source", "status", "error", "model_version")
_END = "\r\n"


class Csv:
    """A row for each image, with `class_id_1`, `label_1`, `score_1` and so on for so many classes.

    A name keeps its bytes, UTF-8 or not, commas, quotes and line feeds included: what needs it is quoted. Read it with
    `encoding="utf-8", errors="surrogateescape"` where names may not be UTF-8.

    Args:
        classes: How many for each image.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        names = [f"{name}_{rank}" for rank in range(1, classes + 1) for name in ("class_id", "label", "score")]
        self._columns = [*_BEFORE_THE_CLASSES, *names]
        self._buffer = io.StringIO(newline="")
        self._writer = csv.writer(self._buffer, lineterminator=_END)
        self.header = self._row(self._columns)

    def record(self, result: Classification) -> bytes:
        """Return the row."""
        row: list[object] = [result.source, result.status, result.error, result.model_version]
        for found in result.classes:
            row += (found.class_id, found.label, found.score)
        return self._row(row + [None] * (len(self._columns) - len(row)))

    def pieces(self, file: BinaryIO) -> Iterator[bytes]:
        """Return rows, each of which may have line feeds within quotes."""
        row = b""
        for line in file:
            row += line
            # A quote within quotes is doubled, so that an odd number of them is an open one.
            if row.count(b'"') % 2 == 0:
                yield row
                row = b""
        if row:
            yield row

    def whole(self, piece: bytes) -> bool:
        """Tell whether its end is there."""
        return piece.endswith(_END.encode()) and piece.count(b'"') % 2 == 0

    def read(self, piece: bytes) -> Earlier:
        """Read a row.

        Raises:
            ValueError: It is not one that `record` wrote.
        """
        try:
            (row,) = csv.reader([piece.decode("utf-8", "surrogateescape")], strict=True)
        except csv.Error as error:
            raise ValueError("no row") from error
        if len(row) != len(self._columns):
            raise ValueError(f"{len(row)} columns, not {len(self._columns)}")
        return Earlier(row[0], row[1] == "0", int(row[3]) if row[3] else None)

    def _row(self, values: list[object] | list[str]) -> bytes:
        self._buffer.seek(0)
        self._buffer.truncate()
        self._writer.writerow(values)
        return self._buffer.getvalue().encode("utf-8", "surrogateescape")
