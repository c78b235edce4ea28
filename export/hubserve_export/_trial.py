"""Conventions tried on photographs: which way to make numbers of pixels does the model understand?

Where the class of a photograph is known, a convention is judged by the probability that the model gives to that class.
With efficientnet-lite0's weights, each of nine conventions taken for the true one, the true one was always the best
(tests/export/test_trial.py). Where no class is known, confidence and variety are shown to the person, and decide
nothing.
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

# A class that a model does not see at all counts as if it had this probability.
_FLOOR = 1e-4
_AT_ONCE = 8

#: The photographs that come along, and the names of ImageNet's classes that show on each.
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
    """Hold what a model says of photographs under one convention.

    Attributes:
        preprocessing: The convention.
        images: How many photographs could be decoded.
        right: On how many the best class is a known one; None where none is known.
        evidence: The mean logarithm of the known classes' probability; None where none is known.
        score: The mean score of the known classes, or of the best class where none is known.
        best_classes: How many different best classes there are.
    """

    preprocessing: Preprocessing
    images: int
    right: int | None
    evidence: float | None
    score: float
    best_classes: int

    def line(self, what: str) -> str:
        """Tell the outcome in words: "with raw: 8 of 8 known photographs right, mean score 0.62"."""
        name = name_of(self.preprocessing)
        if self.right is None:
            many = "class" if self.best_classes == 1 else "classes"
            return f"with {name}: mean best score {self.score:.2f}, {self.best_classes} {many} on {self.images} {what}"
        return f"with {name}: {self.right} of {self.images} {what} right, mean score {self.score:.2f}"


def known_photographs(labels: Sequence[str]) -> Photographs | None:
    """Return the photographs that come along, where the labels are ImageNet's; else None."""
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
    """List the presets with the same picture, channels and type as a preprocessing has."""
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
    """Return the same with red and blue exchanged; None where there is one channel."""
    other = {"rgb": "bgr", "bgr": "rgb"}.get(preprocessing.channels)
    if other is None:
        return None
    return dataclasses.replace(
        preprocessing, channels=other, scale=preprocessing.scale[::-1], offset=preprocessing.offset[::-1]
    )


def name_of(preprocessing: Preprocessing) -> str:
    """Return a short name: the preset's, with the order of channels where that is another."""
    name = preset_of(preprocessing)
    if name is not None:
        return name
    turned = swapped(preprocessing)
    name = None if turned is None else preset_of(turned)
    return preprocessing.numbers() if name is None else f"{name} in {preprocessing.channels.upper()}"


def run(model: LoadedModel, tried: Sequence[Preprocessing], photographs: Photographs) -> list[Outcome]:
    """Ask a model about photographs under several conventions that make the same picture.

    Args:
        model: The model.
        tried: The conventions, at least one.
        photographs: Those that cannot be decoded are left out.
    """
    status, pictures = _pixels.decoded(photographs.images, tried[0])
    good = status == OK
    pictures, classes = pictures[good], photographs.classes
    if classes is not None:
        classes = [one for one, fine in zip(classes, good, strict=True) if fine]
    return [_outcome(model, preprocessing, pictures, classes) for preprocessing in tried]


def unsteady(model: LoadedModel, preprocessing: Preprocessing, photographs: Photographs) -> ProofError | None:
    """Find why a model gives a photograph another answer each time, where it does.

    Its outcomes tell nothing then, and no statement about pixels would help.

    Args:
        model: The model.
        preprocessing: The convention to ask with.
        photographs: Those that cannot be decoded are left out.

    Returns:
        The error that names the cause; None where answers depend on the photograph alone.
    """
    status, pictures = _pixels.decoded(photographs.images, preprocessing)
    call = model.on_pictures(preprocessing)
    return _steady.explain(
        lambda pixels: np.asarray(call(tf.constant(pixels)), np.float64), pictures[status == OK], _steady.TOLERANCE
    )


def _outcome(
    model: LoadedModel, preprocessing: Preprocessing, pictures: Array, classes: Sequence[frozenset[int]] | None
) -> Outcome:
    call = model.on_pictures(preprocessing)
    batches = [np.asarray(call(tf.constant(batch))) for batch in _in_batches(pictures)]
    scores = probabilities(np.concatenate(batches))
    best = scores.argmax(axis=1)
    variety = len(set(best.tolist()))
    if classes is None:
        return Outcome(preprocessing, len(best), None, None, float(scores.max(axis=1).mean()), variety)
    known = np.array([sum(row[number] for number in right) for row, right in zip(scores, classes, strict=True)])
    right = sum(int(one) in numbers for one, numbers in zip(best, classes, strict=True))
    evidence = float(np.log(np.clip(known, _FLOOR, 1)).mean())
    return Outcome(preprocessing, len(best), right, evidence, float(known.mean()), variety)


def _in_batches(pictures: Array) -> Iterator[Array]:
    for first in range(0, len(pictures), _AT_ONCE):
        yield pictures[first : first + _AT_ONCE]


def probabilities(numbers: Array) -> Array:
    """Make scores of a model's numbers, whatever they are: logits, probabilities, or one number for two classes.

    Args:
        numbers: float [N, D]. Rows with numbers that are not finite count as if the model saw nothing.

    Returns:
        float [N, C], C = max(D, 2).
    """
    numbers = np.nan_to_num(numbers.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    scores = numbers.min() >= 0 and numbers.max() <= 1 + 1e-3
    if numbers.shape[1] == 1:
        second = numbers if scores else 1 / (1 + np.exp(-np.clip(numbers, -50, 50)))
        return np.concatenate([1 - second, second], axis=1)
    if scores:
        return numbers
    powers = np.exp(numbers - numbers.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def chance(classes: int) -> float:
    """Return the evidence of a model that gives every class the same probability."""
    return math.log(1 / classes)
