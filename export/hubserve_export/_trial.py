"""Try conventions on photographs: which numbers for pixels does the model understand?

If the class of a photograph is known, a convention is judged by the probability that the model gives to that class.
With efficientnet-lite0's weights, and each of nine conventions taken as the right one, the right one was always the
best (tests/export/test_finding.py). If no class is known, confidence and variety are only shown to the user.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import tensorflow as tf

from . import _pixels, _steady
from ._errors import ProofError
from ._image_model import LoadedModel
from ._preprocessing import PRESETS, Preprocessing, preset_of
from .decode.batch import OK

Array = np.ndarray[Any, Any]

# The least probability of a class, so that a class that the model does not see does not count too much.
_FLOOR = 1e-4
_AT_ONCE = 8
# Where a convention may be given up early, the first batch is this small. Each next one is twice as large.
_FIRST = 2

#: The photographs that come with hubserve, and the names of the ImageNet classes in each.
KNOWN: Mapping[str, frozenset[str]] = {
    "camera.jpg": frozenset({"tripod"}),
    "chelsea.jpg": frozenset({"Egyptian cat", "tabby", "tiger cat"}),
    "china.jpg": frozenset({"bell cote", "monastery", "palace"}),
    "coffee.jpg": frozenset({"coffee mug", "cup", "espresso"}),
    "flower.jpg": frozenset({"daisy"}),
    "grace_hopper.jpg": frozenset({"military uniform"}),
    "rocket.jpg": frozenset({"drilling platform", "missile", "projectile", "space shuttle"}),
}


@dataclass(frozen=True)
class Photographs:
    """Encoded images, and the classes that are right for each, as numbers; without them where none is known."""

    images: Sequence[bytes]
    classes: Sequence[frozenset[int]] | None
    what: str


@dataclass(frozen=True)
class Outcome:
    """A model's answers to photographs with one convention.

    Attributes:
        preprocessing: The convention.
        images: The number of photographs that the model was asked about. Those that cannot be decoded do not count.
        right: The number of photographs whose best class is a right one; None if the classes are not known.
        evidence: The mean logarithm of the right classes' probability; None if the classes are not known.
        score: The mean score of the right classes, or of the best class if the classes are not known.
        best_classes: The number of different best classes.
    """

    preprocessing: Preprocessing
    images: int
    right: int | None
    evidence: float | None
    score: float
    best_classes: int

    def line(self, what: str) -> str:
        """Describe the outcome: "with raw: 8 of 8 known photographs right, mean score 0.62"."""
        name = name_of(self.preprocessing)
        if self.right is None:
            many = "class" if self.best_classes == 1 else "classes"
            return f"with {name}: mean best score {self.score:.2f}, {self.best_classes} {many} on {self.images} {what}"
        return f"with {name}: {self.right} of {self.images} {what} right, mean score {self.score:.2f}"


def known_photographs(labels: Sequence[str]) -> Photographs | None:
    """Return the photographs that come with hubserve if the labels are ImageNet's; else None."""
    numbers: dict[str, set[int]] = {}
    for number, label in enumerate(labels):
        numbers.setdefault(label, set()).add(number)
    classes = [frozenset().union(*(numbers.get(name, set()) for name in names)) for names in KNOWN.values()]
    if not all(classes):
        return None
    data = resources.files("hubserve_export") / "data"
    files = [
        next(file for place in ("photographs", "known") if (file := data / place / name).is_file()) for name in KNOWN
    ]
    return Photographs([file.read_bytes() for file in files], classes, "known photographs")


def candidates(preprocessing: Preprocessing) -> list[Preprocessing]:
    """Return the presets, with the size, channels and type of a preprocessing."""
    found = []
    for preset in PRESETS.values():
        fields = dict(preset)
        if preprocessing.channels == "luminance":
            if max(len(preset["scale"]), len(preset["offset"])) > 1:
                continue
            fields["channels"] = "luminance"
        found.append(dataclasses.replace(preprocessing, **fields))
    return found


def swapped(preprocessing: Preprocessing) -> Preprocessing | None:
    """Return the same preprocessing with red and blue exchanged; None if there is only one channel."""
    other = {"rgb": "bgr", "bgr": "rgb"}.get(preprocessing.channels)
    if other is None:
        return None
    return dataclasses.replace(
        preprocessing, channels=other, scale=preprocessing.scale[::-1], offset=preprocessing.offset[::-1]
    )


def name_of(preprocessing: Preprocessing) -> str:
    """Return a short name: the preset's, with the order of channels if that differs."""
    name = preset_of(preprocessing)
    if name is not None:
        return name
    turned = swapped(preprocessing)
    name = None if turned is None else preset_of(turned)
    return preprocessing.numbers() if name is None else f"{name} in {preprocessing.channels.upper()}"


def run(
    model: LoadedModel, tried: Sequence[Preprocessing], photographs: Photographs, beat: float | None = None
) -> list[Outcome]:
    """Run a model on photographs with several conventions that resize alike.

    Args:
        model: The model.
        tried: The conventions, at least one.
        photographs: The photographs; those that cannot be decoded are left out.
        beat: Another convention's evidence. A convention is given up as soon as its evidence could not be greater, even
            if the model were certain of all other photographs. Its outcome is then of the first photographs only.
    """
    status, pictures = _pixels.decoded(photographs.images, tried[0])
    good = status == OK
    pictures, classes = pictures[good], photographs.classes
    if classes is not None:
        classes = [one for one, fine in zip(classes, good, strict=True) if fine]
    return [_outcome(model, preprocessing, pictures, classes, beat) for preprocessing in tried]


def unsteady(model: LoadedModel, preprocessing: Preprocessing, photographs: Photographs) -> ProofError | None:
    """Find out why a model's answers to a photograph vary, if they do.

    In that case the outcomes show nothing, and no statement about pixels would help.

    Args:
        model: The model.
        preprocessing: The convention to use.
        photographs: The photographs; those that cannot be decoded are left out.

    Returns:
        The error that names the cause; None if answers depend on the photograph alone.
    """
    status, pictures = _pixels.decoded(photographs.images, preprocessing)
    call = model.on_pictures(preprocessing)
    return _steady.explain(
        lambda pixels: np.asarray(call(tf.constant(pixels)), np.float64), pictures[status == OK], _steady.TOLERANCE
    )


def _outcome(
    model: LoadedModel,
    preprocessing: Preprocessing,
    pictures: Array,
    classes: Sequence[frozenset[int]] | None,
    beat: float | None,
) -> Outcome:
    call = model.on_pictures(preprocessing)
    numbers: list[Array] = []
    for batch in _in_batches(pictures, _AT_ONCE if beat is None else _FIRST):
        numbers.append(np.asarray(call(tf.constant(batch))))
        scores = probabilities(np.concatenate(numbers))
        if classes is not None and beat is not None:
            # Numbers between 0 and 1 may still be logits: the next photographs show it.
            readings = (scores, probabilities(np.concatenate(numbers), logits=True))
            # The logarithm of a probability is 0 at most.
            if all(_logarithms(reading, classes).sum() / len(pictures) <= beat for reading in readings):
                break
    best = scores.argmax(axis=1)
    variety = len(set(best.tolist()))
    if classes is None:
        return Outcome(preprocessing, len(best), None, None, float(scores.max(axis=1).mean()), variety)
    right = sum(int(one) in known for one, known in zip(best, classes, strict=False))
    evidence = float(_logarithms(scores, classes).mean())
    score = float(_of_right_classes(scores, classes).mean())
    return Outcome(preprocessing, len(best), right, evidence, score, variety)


def _of_right_classes(scores: Array, classes: Sequence[frozenset[int]]) -> Array:
    """Return the probability of the right classes of each of the first photographs."""
    return np.array([sum(row[number] for number in right) for row, right in zip(scores, classes, strict=False)])


def _logarithms(scores: Array, classes: Sequence[frozenset[int]]) -> Array:
    return np.asarray(np.log(np.clip(_of_right_classes(scores, classes), _FLOOR, 1)))


def _in_batches(pictures: Array, size: int) -> Iterator[Array]:
    first = 0
    while first < len(pictures):
        yield pictures[first : first + size]
        first += size
        size = min(2 * size, _AT_ONCE)


def probabilities(numbers: Array, *, logits: bool = False) -> Array:
    """Compute scores from a model's numbers of any kind: logits, probabilities, or one number for two classes.

    Args:
        numbers: float [N, D]. Numbers that are not finite count as 0.
        logits: The numbers are logits. If not, numbers between 0 and 1 are taken for probabilities.

    Returns:
        float [N, C], C = max(D, 2).
    """
    numbers = np.nan_to_num(numbers.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    scores = not logits and numbers.min() >= 0 and numbers.max() <= 1 + 1e-3
    if numbers.shape[1] == 1:
        second = numbers if scores else 1 / (1 + np.exp(-np.clip(numbers, -50, 50)))
        return np.concatenate([1 - second, second], axis=1)
    if scores:
        return numbers
    powers = np.exp(numbers - numbers.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def chance(classes: int) -> float:
    """Return the evidence for a model that gives every class the same probability."""
    return math.log(1 / classes)
