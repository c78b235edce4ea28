"""Keep only the classes of a result whose score is large enough."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from hubserve import Classification

if TYPE_CHECKING:
    from .classify_all import Sink


class AtLeast:
    """Give a sink each result without the classes whose score is below a bound: `AtLeast(sink, 0.5)`.

    Args:
        sink: Takes the results.
        score: The smallest score that a class must have.
    """

    def __init__(self, sink: Sink, score: float) -> None:
        self._sink = sink
        self._score = score

    def add(self, result: Classification, image: bytes | None = None, key: str | None = None) -> None:
        """Take one result."""
        kept = tuple(found for found in result.classes if found.score >= self._score)
        self._sink.add(dataclasses.replace(result, classes=kept), image, key)

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()
