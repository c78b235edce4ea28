"""Find the meaning of a classifier's numbers from their values on photographs, or take it from `activation`.

Rows within [0, 1] that sum to 1 are probabilities of exclusive classes, whatever operation made them: a softmax, an
average of softmaxes, a slice, a clip. Values within [0, 1] that do not sum to 1 are scores of independent labels. A
single number is the score of the second of two classes. All other rows are logits.

The last operation only decides where values cannot: the output of a dense layer has no bounds, so that small logits of
an untrained model are not taken for scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ._errors import ModelError
from ._options import ACTIVATIONS

EXCLUSIVE = "exclusive"
BINARY = "binary"
INDEPENDENT = "independent"

LOGITS = "logits"
PROBABILITIES = "probabilities"
SCORES = "scores"

Array = np.ndarray[Any, Any]

# The smallest normal float32: processors may treat smaller numbers as zero, which does not have a logarithm.
_SMALLEST = 1.17549435e-38
# sigmoid(17) is 1 in float32: larger logits make no difference.
_SATURATED = 17.0
# Operations without bounds. Any other operation may give numbers between 0 and 1 on purpose.
_LINEAR = frozenset({"BiasAdd", "MatMul", "BatchMatMulV2", "Conv2D", "Einsum"})
# Operations that cannot give a logit, which may have either sign.
_NO_LOGIT = frozenset({"Relu", "Relu6", "Softplus", "Exp", "Square", "Abs", "Sqrt"})
_INTEGERS = frozenset({"ArgMax", "ArgMin", "Round", "Rint", "Floor", "Ceil", "TopKV2"})
# The largest distance from 1 of the sum of probabilities: rounded to float32 (and each clipped by 1e-7), to float16 (10
# bits of mantissa) or to bfloat16 (7 bits).
_SUM_TOLERANCE = 2e-3
_SUM_TOLERANCE_FLOAT16 = 5e-3
_SUM_TOLERANCE_BFLOAT16 = 3e-2
# Sigmoids of an untrained model may sum to nearly anything; those of x and -x sum to 1 except for rounding.
_SUM_TOLERANCE_OF_SIGMOIDS = 1e-5


@dataclass(frozen=True)
class Head:
    """The meaning of a classifier's numbers, and how to compute logits and scores from them.

    Attributes:
        kind: "exclusive" (one class of several), "binary" (one number for two classes) or "independent" (each label
            separately).
        activation: The function from logits to scores: "softmax", "sigmoid" or "none". A binary head has "sigmoid", as
            it was trained; the softmax of its two logits gives the same two scores.
        source_gives: The outputs of the source model: "logits", "probabilities" or "scores".
        classes: The number of classes.
        evidence: The evidence for these, in words for users.
        threshold: The score from which an independent label counts, for programs that read the manifest.
    """

    kind: str
    activation: str
    source_gives: str
    classes: int
    evidence: str
    threshold: float | None = None

    def logits(self, numbers: tf.Tensor) -> tf.Tensor:
        """Compute logits from the model's numbers.

        Args:
            numbers: float32 [N, D], the outputs of the source model.

        Returns:
            float32 [N, classes]; with the activation "none", the numbers unchanged.
        """
        if self.kind == BINARY:
            if self.source_gives == LOGITS:
                return tf.concat([tf.zeros_like(numbers), numbers], axis=1)
            return tf.concat([_logarithm(1 - _within(numbers)), _logarithm(_within(numbers))], axis=1)
        if self.source_gives != PROBABILITIES:
            return numbers
        if self.kind == INDEPENDENT:
            return _logarithm(_within(numbers)) - _logarithm(1 - _within(numbers))
        # Their softmax gives the probabilities again, because they sum to 1.
        return _logarithm(numbers)

    def scores(self, logits: tf.Tensor) -> tf.Tensor:
        """Compute scores from logits.

        Args:
            logits: float32 [N, classes].

        Returns:
            float32 [N, classes]: probabilities that sum to 1 (exclusive and binary), a probability for each label
            (independent), or the logits unchanged (activation "none").
        """
        if self.activation == "none":
            return logits
        return tf.sigmoid(logits) if self.kind == INDEPENDENT else tf.nn.softmax(logits)

    def described(self) -> dict[str, Any]:
        """Return the manifest's entries about the head, under `model`."""
        return {
            "head": self.kind,
            "activation": self.activation,
            "source_gives": self.source_gives,
            "head_evidence": self.evidence,
            "threshold": self.threshold,
        }


def choose(
    numbers: Array,
    ending: str,
    labels: int | None = None,
    said: str = "auto",
    threshold: float | None = None,
    handle: str = "the model",
) -> Head:
    """Find the meaning of a classifier's numbers.

    Args:
        numbers: float [M, D], the model's outputs for M photographs, M >= 1.
        ending: The operation that makes the numbers, from `_model_kind.last_operation`.
        labels: The number of given names; None without names.
        said: "softmax" for exclusive classes, "sigmoid" for one unit or independent labels, "none" for numbers that are
            answered unchanged, "auto" to find out. The values show whether the function was already applied.
        threshold: The score from which an independent label counts; kept, and not applied.
        handle: The model's name in messages.

    Raises:
        ModelError: The numbers are not those of a classifier, contradict `said`, or two labels are missing.
    """
    if said not in ACTIVATIONS:
        raise ModelError(f"`activation` is {said!r}; give one of {', '.join(ACTIVATIONS)}")
    if threshold is not None and not 0 <= threshold <= 1:
        raise ModelError(f"`threshold` is {threshold:g}; give a score between 0 and 1")
    numbers = np.asarray(numbers, np.float32)
    if numbers.shape[1] == 1:
        kind, activation, gives, evidence = _of_one_number(numbers, ending, labels, said, handle)
    else:
        kind, activation, gives, evidence = _of_a_row(numbers, ending, said, handle)
    if threshold is not None and kind != INDEPENDENT:
        raise ModelError(
            f"`threshold` is for independent labels, and {handle} has {kind} classes ({evidence}); leave it out, or "
            "give `activation` sigmoid"
        )
    return Head(kind, activation, gives, max(numbers.shape[1], 2), evidence, threshold)


def are_shares(numbers: Array, ending: str = "") -> bool:
    """Tell whether rows are probabilities of exclusive classes: within [0, 1], with a sum of 1.

    Args:
        numbers: float [M, D].
        ending: The operation that made them; for sigmoids the tolerance is smaller.
    """
    if numbers.shape[1] < 2:
        return False
    tolerance = _SUM_TOLERANCE_OF_SIGMOIDS if ending == "Sigmoid" else _sum_tolerance(numbers)
    return _within_one(numbers) and bool((np.abs(numbers.sum(axis=1, dtype=np.float64) - 1) <= tolerance).all())


def _of_a_row(numbers: Array, ending: str, said: str, handle: str) -> tuple[str, str, str, str]:
    shares = are_shares(numbers, ending)
    applied = _within_one(numbers) and ending not in _LINEAR
    sums = "its numbers lie between 0 and 1 and sum to 1"
    single = "its numbers lie between 0 and 1 and do not sum to 1"
    if said == "none":
        return EXCLUSIVE, "none", SCORES, "`activation` is none: its own numbers"
    if said == "softmax":
        gives = PROBABILITIES if shares else LOGITS
        return EXCLUSIVE, "softmax", gives, f"`activation` is softmax{f', and {sums}' if shares else ''}"
    if said == "sigmoid":
        gives = PROBABILITIES if applied else LOGITS
        return INDEPENDENT, "sigmoid", gives, f"`activation` is sigmoid{', which it applies itself' if applied else ''}"
    if shares:
        return EXCLUSIVE, "softmax", PROBABILITIES, sums
    if applied:
        return INDEPENDENT, "sigmoid", PROBABILITIES, single
    _refuse_what_no_head_gives(numbers, ending, handle)
    why = (
        f"its numbers come from {ending}, which has no bounds"
        if _within_one(numbers)
        else "its numbers go beyond 0 and 1"
    )
    return EXCLUSIVE, "softmax", LOGITS, why


def _refuse_what_no_head_gives(numbers: Array, ending: str, handle: str) -> None:
    described = f"{handle} gives {numbers.shape[1]} numbers from {numbers.min():.4g} to {numbers.max():.4g}"
    remedy = (
        "if they are logits, give `activation` softmax (or sigmoid); with `kind` feature_vector, other numbers are "
        "served unchanged"
    )
    if ending == "Tanh":
        raise ModelError(f"{described}, made by a tanh, which gives neither logits nor probabilities; {remedy}")
    if ending in _INTEGERS:
        raise ModelError(f"{described}, made by {ending}: integers, as counts or class numbers are; {remedy}")
    best = np.sort(numbers, axis=1)
    if len(numbers) > 2 and numbers.min() >= 0 and (best[:, -1] - best[:, -2] > _SATURATED).all():
        raise ModelError(
            f"{described}, none below 0, and their softmax is 1 for the largest in every photograph, as with the "
            f"coordinates of boxes or key points; {remedy}"
        )


def _of_one_number(
    numbers: Array, ending: str, labels: int | None, said: str, handle: str
) -> tuple[str, str, str, str]:
    applied = _within_one(numbers) and ending not in _LINEAR
    one = f"{handle} gives one number for an image, from {numbers.min():.4g} to {numbers.max():.4g} on the photographs"
    two = "a file of two lines, first the class that a low number means"
    as_it_is = "with `kind` feature_vector, a number of another kind, such as an age, is served unchanged"
    if ending == "Softmax":
        raise ModelError(
            f"{handle} ends in a softmax over one number, which is 1 for every image; train it with a sigmoid, or with "
            "two units"
        )
    if said in ("softmax", "none"):
        raise ModelError(
            f"`activation` is {said}, and {one}; the scores of two classes are the sigmoid of it: give `activation` "
            "sigmoid, or leave it out"
        )
    if said == "auto" and (ending == "Tanh" or (ending in _NO_LOGIT and not applied)):
        raise ModelError(f"{one}, made by {ending}, which gives neither a probability nor a logit; {as_it_is}")
    if labels is None:
        what = (
            f"the score of the second of two classes: name the two with `labels`, {two}"
            if applied
            else f"if it is the logit of the second of two classes, name the two with `labels`, {two}; {as_it_is}"
        )
        raise ModelError(f"{one}; {what}")
    if labels != 2:
        raise ModelError(f"{one}, which tells two classes apart, and `labels` has {labels} lines; give {two}")
    if applied:
        return BINARY, "sigmoid", PROBABILITIES, "it gives one number between 0 and 1"
    if said == "auto" and len(numbers) > 1 and numbers.min() > _SATURATED:
        raise ModelError(
            f"{one}; as a logit, that is a score of 1 for all of them. Either {as_it_is}, or the pixels are not "
            "what it was trained on: give `preprocessing`; if neither applies, give `activation` sigmoid"
        )
    return BINARY, "sigmoid", LOGITS, "it gives one number without bounds, the logit of the second class"


def _within_one(numbers: Array) -> bool:
    # The last bit of an average or a clip in float16 may be outside.
    return bool(numbers.min() >= -1e-6 and numbers.max() <= 1 + 1e-3)


def _sum_tolerance(numbers: Array) -> float:
    bits = np.ascontiguousarray(numbers, np.float32).view(np.uint32)
    if not (bits & 0xFFFF).any():
        return _SUM_TOLERANCE_BFLOAT16
    # float16 cannot overflow here: the numbers are within [0, 1], or are not used.
    with np.errstate(over="ignore"):
        if (numbers.astype(np.float16).astype(np.float32) == numbers).all():
            return _SUM_TOLERANCE_FLOAT16
    return _SUM_TOLERANCE


def _within(numbers: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(numbers, 0.0, 1.0)


def _logarithm(numbers: tf.Tensor) -> tf.Tensor:
    return tf.math.log(tf.maximum(numbers, _SMALLEST))
