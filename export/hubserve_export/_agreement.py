"""Compare the functions of a model that take images: `__call__` and signatures may need different pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from . import _head, _steady
from ._errors import ModelError

Array = np.ndarray[Any, Any]

# Functions may differ because one was traced for training's precision, or for another batch.
_TOLERANCE = 1e-2


def compare(
    handle: str, chosen: str, numbers: Array, others: Mapping[str, Array], *, said: bool = False
) -> Iterator[str]:
    """Compare the answers of a model's entries to the warm-up images.

    Args:
        handle: The model's name in messages.
        chosen: The entry that is exported: "__call__", or the name of a signature.
        numbers: The answers of that entry, float [M, D].
        others: The answers of each other entry to the same images, float [M, E].
        said: Whether the user chose the entry, so that others may differ.

    Yields:
        A sentence about each entry that differs: with another number of outputs, or, if the user chose the entry, with
        other answers.

    Raises:
        ModelError: The user did not choose the entry, and an entry with as many outputs gives other answers.
    """
    for name, other in others.items():
        if other.shape[1] != numbers.shape[1]:
            yield (
                f"{chosen} is exported, which gives {numbers.shape[1]} numbers; {name} gives {other.shape[1]}, and is "
                "not served"
            )
        elif not (worst := _difference(numbers, other)) <= _TOLERANCE:
            if not said:
                raise ModelError(
                    f"{handle} has two functions that take images, {chosen} and {name}, and they give different "
                    f"answers for the warm-up images (by {worst:.2g} of their range): one of them may need other "
                    f"pixels; choose the one to export with `signature` {chosen}, or `signature` {name}"
                )
            yield (
                f"{chosen} is exported, as `signature` says; {name} gives other answers, by {worst:.2g} of their range"
            )


def _difference(one: Array, other: Array) -> float:
    """Return the difference between two entries' answers; 0 if one gives the probabilities of the other's logits."""
    worst = _steady.difference(one, other)
    for logits, scores in ((one, other), (other, one)):
        for applied in _applied(logits, scores):
            worst = min(worst, float(np.abs(applied - scores).max()))
    return worst


def _applied(logits: Array, scores: Array) -> Iterator[Array]:
    if _head.are_shares(scores):
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        yield exponentials / exponentials.sum(axis=1, keepdims=True)
    if scores.min() >= 0 and scores.max() <= 1:
        with np.errstate(over="ignore"):
            yield 1 / (1 + np.exp(-logits))
