"""Prove a written model directory: load it as TF Serving does, and compare its answers with the source model's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from . import _head, _pixels, _saved_model_file, _steady, _warmup_records
from ._errors import ProofError
from ._head import Head
from ._image_model import Call
from ._preprocessing import Preprocessing
from ._progress import Progress
from ._version_session import Run
from ._warmup_records import Record, example
from .decode.batch import OK

# Two runs of a model in batches of the same size differ in the last bits of float32, by a few parts in a million of the
# logits' range.
TOLERANCE = 1e-4

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Parity:
    """The differences between the exported model's answers and the source model's, and among its own answers.

    Attributes:
        images: The number of compared images.
        max_error: The largest difference of a logit or feature, as a part of the range of the source model's numbers
            for that image. If the source gives probabilities, of a score.
        tolerance: The limit for `max_error`.
        top1_equal: The number of images with the same best class; None for features.
        warmup_records: The number of warm-up records of the version.
        max_change: The largest difference between two answers to the same image: alone, in batches of other sizes and
            in another order, and beside copies of itself; as a part of the same range.
        change_tolerance: The limit for `max_change`.
    """

    images: int
    max_error: float
    tolerance: float
    top1_equal: int | None
    warmup_records: int
    max_change: float
    change_tolerance: float


@dataclass(frozen=True)
class Reference:
    """The source model's own answers to some images.

    Attributes:
        images: The encoded images.
        pixels: The first of them, decoded: float32 [M, H, W, 3]; a batch of them, and at least four if there are that
            many.
        values: The numbers for all images: float32 [N, D]. With a head they are its logits.
        head: The meaning of a classifier's numbers; None for features.
    """

    images: Sequence[bytes]
    pixels: Array
    values: Array
    head: Head | None = None

    @property
    def least_range(self) -> float:
        """The least range for relative differences: a single logit may be near 0 for all images."""
        return 0.0 if self.head is None or self.head.kind == _head.EXCLUSIVE else 1.0

    def read_by(self, head: Head) -> Reference:
        """Return the same reference with the head's logits in place of the model's own numbers."""
        return dataclasses.replace(self, values=np.asarray(head.logits(tf.constant(self.values))), head=head)

    def compared(self, numbers: Array) -> Array:
        """Return the numbers to compare, for logits or features [N, D].

        If the source gives probabilities, scores are compared: logarithms of scores near 0 or 1 are not precise.
        """
        if self.head is None or self.head.source_gives != _head.PROBABILITIES:
            return numbers
        return np.asarray(self.head.scores(tf.constant(numbers)))


def ask(call: Call, preprocessing: Preprocessing, images: Mapping[str, bytes], batch_size: int) -> Reference:
    """Run the source model on images.

    Args:
        call: The source model: from decoded images, float32 [N, H, W, 3] in [0, 1], to its numbers, float32 [N, D].
        preprocessing: The preprocessing of the exported model.
        images: Encoded images by file name, at least one.
        batch_size: How many images to run at once.

    Raises:
        ProofError: An image cannot be decoded, or the model's numbers for it are not finite.
    """
    names, encoded = list(images), list(images.values())
    pixels: list[Array] = []
    values: list[Array] = []
    for first in range(0, len(encoded), batch_size):
        status, decoded = _pixels.decoded(encoded[first : first + batch_size], preprocessing)
        rows = np.asarray(call(tf.constant(decoded)))
        for name, ok, row in zip(names[first:], status == OK, rows, strict=False):
            if not ok:
                raise ProofError(f"the warm-up image {name} cannot be decoded; give others with `warmup_images`")
            if not np.isfinite(row).all():
                raise ProofError(f"the source model's numbers for {name} are not finite; train it again")
        if first < _steady.ALONE:
            pixels.append(decoded)
        values.append(rows)
    return Reference(encoded, np.concatenate(pixels), np.concatenate(values))


def prove(
    run: Run,
    folder: Path,
    reference: Reference,
    records: Sequence[Record],
    batch_size: int,
    labels: Sequence[str] | None = None,
    progress: Progress | None = None,
    model_batch: int = 1,
) -> Parity:
    """Run a version's warm-up records, and compare its answers with the source model's on the same images.

    Records whose batches differ in kind are run: see `_warmup_records.of_each_kind`. A batch of several images is run
    by the signature that gives all numbers, so that they can be compared with the source model's.

    Args:
        run: The version in a session, from `_version_session.opened`.
        folder: The written version.
        reference: The source model's answers.
        records: The warm-up records; if the version has none, those that it could have.
        batch_size: How many images to run at once.
        labels: The names of a classifier's classes; None for a model of features.
        progress: Gets a report after each signature.
        model_batch: How many images the model itself takes at once, if it takes only so many.

    Raises:
        ProofError: A record fails, an answer differs from the source model's, or an image's answers vary.
    """
    proof = _Proof(run, reference, "feature_vector" if labels is None else "logits", _tolerance(folder))
    try:
        return proof.parity(records, model_batch, batch_size, labels, progress or Progress())
    except _steady.DifferentError as error:
        raise proof.explained() or error from error


def _tolerance(folder: Path) -> float:
    return _steady.tolerance_of(_saved_model_file.read(folder))


class _Proof:
    """The comparisons of one version, which share runs of the model."""

    def __init__(self, run: Run, reference: Reference, output: str, tolerance: float) -> None:
        self._run = run
        self._reference = reference
        self._output = output
        # A classifier's `serving_default` answers with its best classes alone.
        self._signature_of_numbers = "serving_default" if output == "feature_vector" else output
        self._tolerance = tolerance
        self._expected = reference.compared(reference.values)
        self._places = {image: place for place, image in enumerate(reference.images)}
        self._least = reference.least_range

    def parity(
        self,
        records: Sequence[Record],
        model_batch: int,
        batch_size: int,
        labels: Sequence[str] | None,
        progress: Progress,
    ) -> Parity:
        images = tuple(self._reference.images)
        # In reverse order, so that every image has another place and other neighbours.
        turned = Record(self._signature_of_numbers, images[::-1])
        best, examples = Record("serving_default", images), Record("classify", images)
        batches = self._of_each_kind(records, model_batch)
        answers, (error, change) = self._answers(
            [turned, *batches, best, *([] if labels is None else [examples])], batch_size, progress
        )
        numbers = self._reference.compared(answers[turned][self._output][::-1])
        error = max(error, compare_values(self._expected, numbers, self._least))
        change = max(change, *(self._compared(record, answers[record]) for record in batches))
        equal = None
        if labels is None:
            error = max(error, compare_values(self._expected, answers[best][self._output], self._least))
        else:
            compare_examples(answers[best], answers[examples])
            equal = compare_classes(self._expected, answers[best], labels, self._least)
        return Parity(len(images), error, TOLERANCE, equal, len(records), change, self._tolerance)

    def _answers(
        self, questions: Sequence[Record], batch_size: int, progress: Progress
    ) -> tuple[dict[Record, dict[str, Array]], tuple[float, float]]:
        """Return the answers to batches of encoded images, and what `_of_pixels_compared` returns.

        Two signatures run at a time. TensorFlow prepares the graph of a signature at its first run, on one processor,
        while the other one computes. More at a time would need more memory, and gain nothing: graphs are prepared one
        after another.
        """
        by_signature: dict[str, list[Record]] = {}
        for question in questions:
            by_signature.setdefault(question.signature, []).append(question)

        def ask(batches: Sequence[Record]) -> dict[Record, dict[str, Array]]:
            return {batch: _in_batches(self._run, batch.signature, batch.images, batch_size) for batch in batches}

        with ThreadPoolExecutor(2, thread_name_prefix="proof") as pool:
            of_pixels = pool.submit(self._of_pixels_compared)
            asked = [pool.submit(ask, batches) for batches in by_signature.values()]
            parts: list[Future[Any]] = [of_pixels, *asked]
            try:
                for done, finished in enumerate(as_completed(parts), start=1):
                    finished.result()
                    progress.part(done, len(parts))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        answers = {question: answer for part in asked for question, answer in part.result().items()}
        return answers, of_pixels.result()

    def _of_pixels_compared(self) -> tuple[float, float]:
        """Return the error of decoded images in one batch, and the change if each is alone."""
        pixels = self._reference.pixels
        together = self._of_pixels(pixels)
        error = compare_values(self._expected[: len(pixels)], together, self._least)
        return error, _steady.check(self._of_pixels, pixels, together, self._tolerance, self._least)

    def explained(self) -> ProofError | None:
        return _steady.explain(self._of_pixels, self._reference.pixels, self._tolerance, self._least)

    def _of_pixels(self, pixels: Array) -> Array:
        return self._reference.compared(self._run("images", {"images": pixels})[self._output])

    def _of_each_kind(self, records: Sequence[Record], model_batch: int) -> list[Record]:
        several = self._signature_of_numbers
        return list(
            dict.fromkeys(
                record if len(record.images) == 1 else dataclasses.replace(record, signature=several)
                for record in _warmup_records.of_each_kind(records, model_batch)
            )
        )

    def _compared(self, record: Record, answer: Mapping[str, Array]) -> float:
        """Return the largest change of an image's numbers in a record's answer, 0 without comparable numbers."""
        # The reference does not contain the small images of other formats.
        known = [row for row, image in enumerate(record.images) if image in self._places]
        if self._output not in answer or not known:
            return 0.0
        places = [self._places[record.images[row]] for row in known]
        rows = self._reference.compared(answer[self._output])[known]
        _steady.check_copies(rows, places, self._tolerance, self._least)
        change = _steady.difference(self._expected[places], rows, self._least)
        _steady.hold(change, self._tolerance)
        return change


def _in_batches(run: Run, signature: str, images: Sequence[bytes], batch_size: int) -> dict[str, Array]:
    """Return a signature's answer for encoded images."""
    answers = [
        run(signature, _given(signature, images[first : first + batch_size]))
        for first in range(0, len(images), batch_size)
    ]
    return {output: np.concatenate([answer[output] for answer in answers]) for output in answers[0]}


def _given(signature: str, images: Sequence[bytes]) -> dict[str, list[bytes]]:
    """Return the input of a signature for encoded images; `classify` takes them inside tf.Examples."""
    if signature == "classify":
        return {"inputs": [example(image).SerializeToString() for image in images]}
    return {"image_bytes": list(images)}


def compare_values(expected: Array, found: Array, least_range: float = 0.0) -> float:
    """Return the largest difference, as a part of the range of an image's expected values.

    Args:
        expected: The source model's logits or features, float [N, D].
        found: The exported model's, float [N, D].
        least_range: The smallest range to use.

    Raises:
        ProofError: The difference is more than the tolerance.
    """
    error = _steady.difference(expected, found, least_range)
    if not error <= TOLERANCE:  # Also catches NaN.
        raise _steady.DifferentError(
            f"the exported model's numbers differ from the source model's by {error:.2g} of their range, "
            f"more than {TOLERANCE:g}"
        )
    return error


def compare_classes(
    expected: Array, answer: Mapping[str, Array], labels: Sequence[str], least_range: float = 0.0
) -> int:
    """Compare the best classes with the source model's, and return the number of equal ones.

    Args:
        expected: The source model's logits, float [N, C].
        answer: The exported model's `serving_default`: class_ids int [N, K] and labels, bytes [N, K].
        labels: The C names of the classes.
        least_range: The smallest range of an image's logits to use.

    Raises:
        ProofError: A best class or its label differs.
    """
    best, highest = answer["class_ids"][:, 0], expected.max(axis=1)
    # Two classes whose logits differ only by rounding may change places.
    short = (highest - expected[np.arange(len(expected)), best]) / _steady.spread(expected, least_range)
    if different := int((short > TOLERANCE).sum()):
        raise ProofError(
            f"the exported model gives another best class than the source model on {different} of {len(expected)} "
            "images"
        )
    named = [name.decode("utf-8") for name in answer["labels"][:, 0]]
    if named != [labels[index] for index in best]:
        raise ProofError(f"the exported model names its classes {named}, which are not the labels of {best.tolist()}")
    return int((best == expected.argmax(axis=1)).sum())


def compare_examples(answer: Mapping[str, Array], of_examples: Mapping[str, Array]) -> None:
    """Compare the signature `classify` with `serving_default`.

    Args:
        answer: `serving_default`'s labels, bytes [N, K], and scores, float [N, K].
        of_examples: `classify`'s classes and scores, of the same shapes.

    Raises:
        ProofError: The answers differ.
    """
    same = (answer["labels"] == of_examples["classes"]) | (np.abs(np.diff(answer["scores"], append=0)) <= TOLERANCE)
    if not same.all() or not np.allclose(answer["scores"], of_examples["scores"], atol=TOLERANCE):
        raise ProofError("the exported model's answer to a tf.Example differs from its answer to the image inside")
