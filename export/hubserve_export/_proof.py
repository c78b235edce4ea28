"""The proof: a written model directory is loaded as TF Serving loads it, and must answer as the source model does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from . import _serving_files
from ._errors import ProofError
from ._image_model import ImageModel
from ._preprocessing import Preprocessing
from ._progress import Progress
from .decode.batch import OK, decode_batch

# Two runs of one model in batches of another size differ in the last bits of float32: a few parts in a million of the
# logits' range.
TOLERANCE = 1e-4

Array = np.ndarray[Any, Any]
Run = Callable[[str, Mapping[str, Any]], dict[str, Array]]


@dataclass(frozen=True)
class Parity:
    """How near the exported model's answers are to the source model's.

    Attributes:
        images: On how many images they were compared.
        max_error: The largest difference of a logit or feature, as a part of the range of the source model's for that
            image.
        tolerance: What it may be at most.
        top1_equal: On how many images the best class is the same; None for features, which have no best.
        warmup_records: How many warm-up records were replayed.
    """

    images: int
    max_error: float
    tolerance: float
    top1_equal: int | None
    warmup_records: int


@dataclass(frozen=True)
class Reference:
    """What the source model itself says of some images.

    Attributes:
        images: The encoded images.
        pixels: The model input of the first of them, as many as were run at once: float32 [M, H, W, 3].
        values: The logits or features of all: float32 [N, D].
    """

    images: Sequence[bytes]
    pixels: Array
    values: Array


def ask(model: ImageModel, preprocessing: Preprocessing, images: Mapping[str, bytes], batch_size: int) -> Reference:
    """Asks the source model.

    Args:
        model: The source model.
        preprocessing: What the exported model will do with an image.
        images: Encoded images by the names of their files, at least one.
        batch_size: How many to run at once.

    Raises:
        ProofError: An image cannot be decoded, or the model gives no finite numbers for it.
    """
    decode = tf.function(decode_batch, autograph=False)
    names, encoded = list(images), list(images.values())
    pixels: list[Array] = []
    values: list[Array] = []
    for first in range(0, len(encoded), batch_size):
        status, decoded = decode(tf.constant(encoded[first : first + batch_size]), preprocessing)
        rows = np.asarray(model.call(decoded))
        for name, ok, row in zip(names[first:], status.numpy() == OK, rows, strict=False):
            if not ok:
                raise ProofError(f"the warm-up image {name} cannot be decoded; give others with `warmup_images`")
            if not np.isfinite(row).all():
                raise ProofError(
                    f"the source model itself gives numbers for {name} that are not finite; train it again"
                )
        pixels = pixels or [np.asarray(decoded)]
        values.append(rows)
    return Reference(encoded, pixels[0], np.concatenate(values))


def prove(
    folder: Path,
    reference: Reference,
    batch_size: int,
    labels: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Parity:
    """Loads `folder`, replays its warm-up and compares its answers with the source model's on the same images.

    Args:
        folder: The written version.
        reference: What the source model says.
        batch_size: How many images to run at once.
        labels: The names of a classifier's classes; None for a model of features.
        progress: Told of each warm-up record.

    Raises:
        ProofError: It does not load, a record fails, or an answer differs.
    """
    progress = progress or Progress()
    records = _serving_files.read_warmup(folder)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        run = _load(session, folder)
        for done, record in enumerate(records, start=1):
            _replay(run, record)
            progress.part(done, len(records))
        numbers = "feature_vector" if labels is None else "logits"
        of_pixels = run("images", {"images": reference.pixels})[numbers]
        answer = _in_batches(run, "serving_default", reference.images, batch_size)
        if labels is None:
            error = compare_values(reference.values, answer[numbers])
        else:
            error = compare_values(reference.values, _in_batches(run, "logits", reference.images, batch_size)[numbers])
            compare_examples(answer, _in_batches(run, "classify", reference.images, batch_size))
    error = max(error, compare_values(reference.values[: len(of_pixels)], of_pixels))
    equal = None if labels is None else compare_classes(reference.values, answer, labels)
    return Parity(len(reference.images), error, TOLERANCE, equal, len(records))


def _in_batches(run: Run, signature: str, images: Sequence[bytes], batch_size: int) -> dict[str, Array]:
    """A signature's answer for encoded images, which `classify` takes inside tf.Examples."""
    name, given = (
        ("inputs", [_example(image) for image in images]) if signature == "classify" else ("image_bytes", images)
    )
    answers = [
        run(signature, {name: list(given[first : first + batch_size])}) for first in range(0, len(given), batch_size)
    ]
    return {output: np.concatenate([answer[output] for answer in answers]) for output in answers[0]}


def _example(image: bytes) -> bytes:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    example = tf.train.Example(features=tf.train.Features(feature={"image/encoded": feature}))
    serialized: bytes = example.SerializeToString()
    return serialized


def _load(session: tf.compat.v1.Session, folder: Path) -> Run:
    """Loads as TF Serving does: into a session, by the "serve" tag, with the SavedModel's own restore op.

    `tf.saved_model.load` takes another way, and can succeed where this fails.
    """
    try:
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], str(folder)).signature_def
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise ProofError(
            f"the exported model does not load in a session, as TF Serving would load it: {error}"
        ) from error

    def run(signature: str, inputs: Mapping[str, Any]) -> dict[str, Array]:
        definition = signatures[signature]
        feed = {definition.inputs[name].name: value for name, value in inputs.items()}
        try:
            answer: dict[str, Array] = session.run({name: info.name for name, info in definition.outputs.items()}, feed)
        except (tf.errors.OpError, ValueError) as error:
            raise ProofError(f"the exported model's signature {signature} fails in a session: {error}") from error
        return answer

    return run


def _replay(run: Run, record: Any) -> None:
    match record.WhichOneof("log_type"):
        case "predict_log":
            request = record.predict_log.request
            run(
                request.model_spec.signature_name,
                {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()},
            )
        case "classify_log":
            request = record.classify_log.request
            run(
                request.model_spec.signature_name,
                {"inputs": [example.SerializeToString() for example in request.input.example_list.examples]},
            )


def compare_values(expected: Array, found: Array) -> float:
    """The largest difference, as a part of the range of an image's expected values.

    Args:
        expected: The source model's logits or features, float [N, D].
        found: The exported model's, float [N, D].

    Raises:
        ProofError: It is more than the tolerance.
    """
    error = float((np.abs(found - expected).max(axis=1) / _spread(expected)).max())
    if not error <= TOLERANCE:  # NaN is not within any tolerance either.
        raise ProofError(
            f"the exported model's numbers differ from the source model's by {error:.2g} of their range, "
            f"more than {TOLERANCE:g}"
        )
    return error


def compare_classes(expected: Array, answer: Mapping[str, Array], labels: Sequence[str]) -> int:
    """On how many images the best class is the source model's: all of them.

    Args:
        expected: The source model's logits, float [N, C].
        answer: The exported model's `serving_default`: class_ids int [N, K] and labels, bytes [N, K].
        labels: The C names of the classes.

    Raises:
        ProofError: A best class or its label is another.
    """
    best, highest = answer["class_ids"][:, 0], expected.max(axis=1)
    # Two classes that are equal but for rounding may change places.
    short = (highest - expected[np.arange(len(expected)), best]) / _spread(expected)
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
    """Holds the signature `classify` to `serving_default`.

    Args:
        answer: `serving_default`'s labels, bytes [N, K], and scores, float [N, K].
        of_examples: `classify`'s classes and scores, of the same shapes.

    Raises:
        ProofError: They differ.
    """
    same = (answer["labels"] == of_examples["classes"]) | (np.abs(np.diff(answer["scores"], append=0)) <= TOLERANCE)
    if not same.all() or not np.allclose(answer["scores"], of_examples["scores"], atol=TOLERANCE):
        raise ProofError("the exported model answers a tf.Example otherwise than the image in it")


def _spread(values: Array) -> Array:
    """The range of each row, [N]; where all of a row is nearly one number, a thousandth of that."""
    range_ = values.max(axis=1) - values.min(axis=1)
    return np.maximum(np.maximum(range_, np.abs(values).max(axis=1) * 1e-3), np.finfo(np.float32).tiny)
