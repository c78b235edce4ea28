"""The formats of records: each holds one result, for a file or the screen."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Protocol

from hubserve import Classification, ClassScore, ImageError

FORMATS = ("table", "jsonl", "csv", "parquet")
_CSV_CLASSES = 1
_CSV_COLUMNS = ("source", "status", "error", "model_version")
_CSV_END = "\r\n"
# The csv module of Python 3.10 neither writes nor reads NUL. U+FDD0 is not a character, and replaces NUL there.
_NUL = "\ufdd0" if sys.version_info < (3, 11) else "\0"
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\", "'": r"\'"}
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class Format(Protocol):
    """Makes records: bytes, including the end of the record."""

    header: bytes

    def record(self, result: Classification, key: str | None = None) -> bytes:
        """Return the record of one result, with what its image is called in a table or an archive."""


class Readable(Format, Protocol):
    """A format that can also be read, for a run that goes on."""

    def pieces(self, file: BinaryIO) -> Iterator[bytes]:
        """Split a file into its header and records; the last one may be torn."""

    def whole(self, piece: bytes) -> bool:
        """Tell whether the piece is a whole record."""

    def read(self, piece: bytes) -> Classification:
        """Return the result of a whole record. Raises ValueError if it is not a record."""


def readable(name: str, *, top_k: int | None, keys: bool = False) -> Readable:
    """Return the format of a file; Parquet is made from JSON lines.

    Args:
        name: The format's name.
        top_k: The most classes for each image.
        keys: Whether CSV has a column for what images are called in their table.
    """
    return Csv(top_k or _CSV_CLASSES, keys=keys) if name == "csv" else Jsonl()


class Jsonl:
    r"""A document for each image.

    A name that is not UTF-8 keeps its bytes as in Python: each as a lone surrogate, `\udc80` for 0x80 and so on, so
    that `os.fsencode(json.loads(line)["source"])` is the name. A line feed in a name is `\n`, as in all JSON.
    """

    header = b""

    def record(self, result: Classification, key: str | None = None) -> bytes:
        """Return the document, on one line."""
        document = document_of(result, key)
        try:
            return (_encode(document) + "\n").encode()
        except UnicodeEncodeError:
            return (json.dumps(document, allow_nan=False) + "\n").encode()

    def pieces(self, file: BinaryIO) -> Iterator[bytes]:
        """Return the lines."""
        return iter(file)

    def whole(self, piece: bytes) -> bool:
        """Tell whether the piece has its end."""
        return piece.endswith(b"\n")

    def read(self, piece: bytes) -> Classification:
        """Return the result in a line.

        Raises:
            ValueError: `record` did not write it.
        """
        document = json.loads(piece)
        try:
            classes = [(found["class_id"], found["label"], found["score"]) for found in document["classes"]]
            return recorded(
                str(document["source"]), document["status"], document["error"], document["model_version"], classes
            )
        except (TypeError, KeyError) as error:
            raise ValueError("it is not a record") from error


def document_of(result: Classification, key: str | None = None) -> dict[str, Any]:
    """Return a result for JSON, with `id` if the image has a key.

    A score that is NaN or infinite, which JSON does not have, becomes None.
    """
    return {
        "source": result.source,
        **({} if key is None else {"id": key}),
        "status": result.status,
        "error": result.error,
        "model_version": result.model_version,
        "classes": [
            {"class_id": found.class_id, "label": found.label, "score": _finite(found.score)}
            for found in result.classes
        ],
    }


def _finite(score: float) -> float | None:
    return score if math.isfinite(score) else None


def recorded(
    source: str,
    status: int | None,
    error: str | None,
    model_version: int | None,
    classes: Iterable[tuple[int, str, float | None]],
) -> Classification:
    """Return the result of a record, without a place among the images and without a latency.

    Args:
        source: The image's name.
        status: The model's status of the image.
        error: What went wrong.
        model_version: The version that answered.
        classes: Class id, label and score of each class; a score of None is one that JSON does not have.
    """
    return Classification(
        source=source,
        index=0,
        status=status,
        exception=None if error is None else ImageError(error),
        model_version=model_version,
        classes=tuple(
            ClassScore(class_id, label, math.nan if score is None else score) for class_id, label, score in classes
        ),
    )


class Csv:
    """A row for each image, with `class_id_1`, `label_1`, `score_1` and so on for each class.

    A name keeps its bytes, UTF-8 or not; commas, quotes and line feeds are quoted. Read the file with
    `encoding="utf-8", errors="surrogateescape"` if names may not be UTF-8.

    Args:
        classes: The number of classes for each image.
        keys: Whether there is a column `id` after `source`.
    """

    def __init__(self, classes: int, *, keys: bool = False) -> None:
        self._classes = classes
        self._keys = keys
        names = [f"{name}_{rank}" for rank in range(1, classes + 1) for name in ("class_id", "label", "score")]
        self._first = [*_CSV_COLUMNS[:1], *(["id"] if keys else []), *_CSV_COLUMNS[1:]]
        self._columns = [*self._first, *names]
        self._buffer = io.StringIO(newline="")
        self._writer = csv.writer(self._buffer, lineterminator=_CSV_END)
        self.header = self._row(self._columns)

    def record(self, result: Classification, key: str | None = None) -> bytes:
        """Return the row."""
        row: list[object] = [
            result.source,
            *([key] if self._keys else []),
            result.status,
            result.error,
            result.model_version,
        ]
        for found in result.classes:
            row += (found.class_id, found.label, found.score)
        return self._row(row + [None] * (len(self._columns) - len(row)))

    def pieces(self, file: BinaryIO) -> Iterator[bytes]:
        """Return the rows; a row may contain line feeds within quotes."""
        row = b""
        for line in file:
            row += line
            # A quote within quotes is doubled: an odd number of quotes means that one is open.
            if row.count(b'"') % 2 == 0:
                yield row
                row = b""
        if row:
            yield row

    def whole(self, piece: bytes) -> bool:
        """Tell whether the piece has its end."""
        return piece.endswith(_CSV_END.encode()) and piece.count(b'"') % 2 == 0

    def read(self, piece: bytes) -> Classification:
        """Return the result in a row.

        Raises:
            ValueError: `record` did not write it.
        """
        try:
            (row,) = csv.reader([piece.decode("utf-8", "surrogateescape").replace("\0", _NUL)], strict=True)
        except csv.Error as error:
            raise ValueError("no row") from error
        row = [cell.replace(_NUL, "\0") for cell in row]
        if len(row) != len(self._columns):
            raise ValueError(f"{len(row)} columns, not {len(self._columns)}")
        cells = row[len(self._first) :]
        classes = [
            (int(class_id), label, float(score))
            for class_id, label, score in zip(cells[::3], cells[1::3], cells[2::3], strict=True)
            if class_id
        ]
        source, status, failure, version = row[0], *row[1 + self._keys : len(self._first)]
        return recorded(
            source, int(status) if status else None, failure or None, int(version) if version else None, classes
        )

    def _row(self, values: list[object] | list[str]) -> bytes:
        self._buffer.seek(0)
        self._buffer.truncate()
        self._writer.writerow([value.replace("\0", _NUL) if isinstance(value, str) else value for value in values])
        return self._buffer.getvalue().replace(_NUL, "\0").encode("utf-8", "surrogateescape")


def shown(text: str, *, quote: bool = True) -> str:
    r"""Return a text on one line, without control sequences for a terminal.

    A text that cannot be printed becomes `$'two\nlines'`, which bash reads as the same name.
    """
    if text.isprintable():
        return text
    escaped = "".join(
        character if character.isprintable() and character not in "\\'" else _escape(character) for character in text
    )
    return f"$'{escaped}'" if quote else escaped


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    # A lone surrogate stands for a byte that is not UTF-8.
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
