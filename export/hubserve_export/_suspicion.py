"""Find suspicious answers of a model to the warm-up photographs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from . import _head
from ._head import Head
from ._proof import Reference

Array = np.ndarray[Any, Any]

# Fewer photographs may really be of one class.
_PHOTOGRAPHS = 3
# With many classes, a best score this small is chance, too.
_MANY_CLASSES, _LITTLE = 20, 0.05
_FEW_CLASSES = 5
# A sigmoid this near to 0.5 is undecided.
_UNDECIDED = 0.05


def of_reference(reference: Reference, head: Head, labels: Sequence[str]) -> Iterator[str]:
    """Return warnings about the source model's own answers; see `of_scores`."""
    yield from of_scores(np.asarray(head.scores(tf.constant(reference.values))), head, labels)


def of_scores(scores: Array, head: Head, labels: Sequence[str]) -> Iterator[str]:
    """Return warnings about a classifier's answers to photographs of different things.

    Args:
        scores: float [N, C]: the scores of N photographs.
        head: The meaning of the scores.
        labels: The names of the C classes.

    Yields:
        A warning that names the likely cause.
    """
    photographs = len(scores)
    if photographs < _PHOTOGRAPHS or head.activation == "none":
        return
    best = scores.max(axis=1)
    cause = (
        "; the likely cause is that the pixels are not what the model was trained on (`preprocessing`), or that it "
        "was not trained; if the photographs show nothing that it knows, give suitable ones with `warmup_images`, or "
        "`examples`"
    )
    if head.kind == _head.INDEPENDENT:
        if (np.abs(scores - 0.5) <= _UNDECIDED).all():
            yield (
                f"near-chance scores on every photograph: each of the {scores.shape[1]} labels has a score near 0.5 "
                f"for all {photographs}{cause}"
            )
    elif best.max() <= (chance := near_chance(scores.shape[1])):
        yield (
            f"near-chance scores on every photograph: the best of {scores.shape[1]} classes has at most "
            f"{best.max():.2g}, and {chance:.2g} is hardly more than guessing{cause}"
        )
    if head.kind != _head.INDEPENDENT and len(set(scores.argmax(axis=1).tolist())) == 1:
        yield (
            f"all {photographs} photographs are in one class, {labels[int(scores[0].argmax())]!r}, with scores from "
            f"{best.min():.2g} to {best.max():.2g}{cause}"
        )


def near_chance(classes: int) -> float:
    """Return the best score of a classifier that knows nothing.

    For few classes it is a little more than 1 / classes. From five on it is e / (e + classes - 1), the largest softmax
    of numbers that are already probabilities. With many classes it is at least 0.05.

    Args:
        classes: How many classes there are.
    """
    if classes < _FEW_CLASSES:
        return 1.2 / classes
    twice = math.e / (math.e + classes - 1)
    return max(twice, _LITTLE) if classes >= _MANY_CLASSES else twice
