"""Check that an answer depends on its image alone: not on its batch, on the order of images, or on chance.

If batch normalization was left in training mode, an image's numbers depend on its neighbours. If dropout or
augmentation was left on, they depend on chance. Comparing one batch with itself does not show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ._errors import ProofError

# Other kernels compute batches of another size: float32 then differs by some parts in a million, which deep networks
# amplify, and half precision by some parts in a hundred.
TOLERANCE = 2e-3
TOLERANCE_OF_HALF = 5e-2
# How many images are also run alone, and how often a batch is repeated to detect random numbers.
ALONE = 4
_TRIES = 4
_HALF = frozenset({tf.float16.as_datatype_enum, tf.bfloat16.as_datatype_enum})

Array = np.ndarray[Any, Any]
#: Returns the numbers for decoded images: from float32 [N, H, W, 3] to [N, D].
Numbers = Callable[[Array], Array]


class DifferentError(ProofError):
    """Two answers that must be the same differ; the cause is not known yet."""


def tolerance_of(saved: Any) -> float:
    """Return how much the numbers of one image may differ between batches, as a part of their range.

    Args:
        saved: A SavedModel message; for half precision, the tolerance is larger.
    """
    graph = saved.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    half = any(value.type in _HALF for node in nodes for value in node.attr.values())
    return TOLERANCE_OF_HALF if half else TOLERANCE


def check(numbers: Numbers, pixels: Array, together: Array, tolerance: float, least_range: float = 0.0) -> float:
    """Run the first images alone, and compare with their answers in one batch.

    Args:
        numbers: The version.
        pixels: Decoded images, float32 [M, H, W, 3] in [0, 1], M >= 1.
        together: The version's answers to them in one batch, float [M, D].
        tolerance: The allowed difference, as a part of the range of an image's numbers.
        least_range: The smallest range to use.

    Returns:
        The largest difference, as a part of the range.

    Raises:
        DifferentError: The difference is more than the tolerance.
    """
    alone = np.concatenate([numbers(pixels[place : place + 1]) for place in range(min(len(pixels), ALONE))])
    worst = difference(together[: len(alone)], alone, least_range)
    if len(pixels) == 1:
        # There is no other image: use its negative as a neighbour.
        worst = max(worst, difference(alone, numbers(np.concatenate([pixels, 1 - pixels]))[:1], least_range))
    hold(worst, tolerance)
    return worst


def hold(worst: float, tolerance: float) -> None:
    """Compare a difference with a tolerance.

    Raises:
        DifferentError: The difference is larger, or is NaN.
    """
    if not worst <= tolerance:
        raise DifferentError(
            f"the exported model answers one image in two ways, which differ by {worst:.2g} of the range of its "
            f"numbers, more than {tolerance:g}"
        )


def check_copies(rows: Array, images: Sequence[int], tolerance: float, least_range: float = 0.0) -> None:
    """Compare the rows of copies of one image in one batch.

    Args:
        rows: float [N, D].
        images: The image of each row, as a number.
        tolerance: The allowed difference, as a part of the range of an image's numbers.
        least_range: The smallest range to use.

    Raises:
        ProofError: Two rows of the same image differ.
    """
    first: dict[int, int] = {}
    for place, image in enumerate(images):
        other = first.setdefault(image, place)
        worst = difference(rows[other][None], rows[place][None], least_range)
        if not worst <= tolerance:
            raise _random(worst)


def explain(numbers: Numbers, pixels: Array, tolerance: float, least_range: float = 0.0) -> ProofError | None:
    """Find out why a version gives an image different answers.

    Args:
        numbers: The version.
        pixels: Decoded images, float32 [M, H, W, 3] in [0, 1].
        tolerance: The allowed difference, as a part of the range of an image's numbers.
        least_range: The smallest range to use.

    Returns:
        The error that names the cause; None if the answers depend on the image alone.
    """
    pixels = pixels[:ALONE] if len(pixels) > 1 else np.concatenate([pixels, 1 - pixels])
    together = numbers(pixels)
    for _ in range(_TRIES):
        if (worst := difference(together, numbers(pixels), least_range)) > tolerance:
            return _random(worst)
    copies = numbers(np.repeat(pixels[:1], ALONE, axis=0))
    if (worst := difference(copies[:1].repeat(ALONE, axis=0), copies, least_range)) > tolerance:
        return _random(worst)
    alone = np.concatenate([numbers(pixels[place : place + 1]) for place in range(len(pixels))])
    turned = numbers(pixels[::-1])[::-1]
    worst = max(difference(together, alone, least_range), difference(together, turned, least_range))
    return _of_neighbours(worst) if worst > tolerance else None


def difference(expected: Array, found: Array, least_range: float = 0.0) -> float:
    """Return the largest difference of two answers to the same images, as a part of the range of an image's numbers.

    Args:
        expected: float [N, D].
        found: float [N, D].
        least_range: The smallest range to use.
    """
    return float((np.abs(found - expected).max(axis=1) / spread(expected, least_range)).max())


def spread(values: Array, least_range: float = 0.0) -> Array:
    """Return the range of each row, [N]; for a nearly constant row, a thousandth of its value."""
    range_ = values.max(axis=1) - values.min(axis=1)
    least = max(least_range, float(np.finfo(np.float32).tiny))
    return np.maximum(np.maximum(range_, np.abs(values).max(axis=1) * 1e-3), least)


def _random(worst: float) -> ProofError:
    return ProofError(
        f"the model gives one image another answer each time, by {worst:.2g} of the range of its numbers: it uses "
        "random numbers, like augmentation or dropout that is left on; save it for inference, called with "
        "training=False (for Keras 3, give the .keras file, or export it with keras.export.ExportArchive)"
    )


def _of_neighbours(worst: float) -> ProofError:
    return ProofError(
        f"the model gives an image another answer in a batch than alone, by {worst:.2g} of the range of its numbers: "
        "it depends on the other images, like batch normalization that is left in training mode; save it for "
        "inference, called with training=False (for TensorFlow 1, with is_training=False)"
    )
