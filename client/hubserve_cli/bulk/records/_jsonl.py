"""JSON lines: one document a line, for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

from hubserve import Classification

from ._read import Earlier

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class Jsonl:
    r"""A document for each image.

    A name that is not UTF-8 keeps its bytes as Python does: each as a lone surrogate, `\udc80` for 0x80 and so on, so
    that `os.fsencode(json.loads(line)["source"])` is the name. A line feed in a name is `\n`, as in all JSON.
    """

    header = b""

    def record(self, result: Classification) -> bytes:
        """Return the document in a line."""
        document = document_of(result)
        try:
            return (_encode(document) + "\n").encode()
        except UnicodeEncodeError:
            return (json.dumps(document, allow_nan=False) + "\n").encode()

    def pieces(self, file: BinaryIO) -> Iterator[bytes]:
        """Return the lines."""
        return iter(file)

    def whole(self, piece: bytes) -> bool:
        """Tell whether its end is there."""
        return piece.endswith(b"\n")

    def read(self, piece: bytes) -> Earlier:
        """Read a line.

        Raises:
            ValueError: It is not one that `record` wrote.
        """
        document = json.loads(piece)
        try:
            return Earlier(str(document["source"]), document["status"] == 0, document["model_version"])
        except (TypeError, KeyError) as error:
            raise ValueError("no record") from error


def document_of(result: Classification) -> dict[str, Any]:
    """Return a result as JSON has it: a score that is NaN or infinite, which JSON does not have, is None."""
    return {
        "source": result.source,
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
