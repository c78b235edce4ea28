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
from ._progress import Progress
from .decode import batch
from .decode.batch import Preprocessing

# Two runs of one model in batches of another size differ in the last bits of float32: a few parts in a million of the
# logits' range.
TOLERANCE = 1e-4

Run = Callable[[str, Mapping[str, Any]], dict[str, np.ndarray[Any, Any]]]


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


def prove(
    folder: Path,
    model: ImageModel,
    preprocessing: Preprocessing,
    images: Sequence[bytes],
    labels: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Parity:
    """Loads `folder`, replays its warm-up and compares its answers with the source model's on the same images.

    Args:
        folder: The written version.
        model: The source model.
        preprocessing: What the version does with an image.
        images: Encoded images, at least one.
        labels: The names of a classifier's classes; None for a model of features.
        progress: Told of each warm-up record.

    Raises:
        ProofError: It does not load, a record fails, or an answer differs.
    """
    progress = progress or Progress()
    expected = _source_values(model, preprocessing, images)
    records = _serving_files.read_warmup(folder)
    encoded = {"image_bytes": list(images)}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        run = _load(session, folder)
        for done, record in enumerate(records, start=1):
            _replay(run, record)
            progress.part(done, len(records))
        answer = run("serving_default", encoded)
        values = answer["feature_vector"] if labels is None else run("logits", encoded)["logits"]
    error = compare_values(expected, values)
    equal = None if labels is None else compare_classes(expected, answer, labels)
    return Parity(len(expected), error, TOLERANCE, equal, len(records))


def _source_values(model: ImageModel, preprocessing: Preprocessing, images: Sequence[bytes]) -> np.ndarray[Any, Any]:
    decode = tf.function(batch.decode_batch, autograph=False)
    status, decoded = decode(tf.constant(list(images)), preprocessing)
    if bad := [index for index, value in enumerate(status.numpy()) if value != batch.OK]:
        raise ProofError(
            f"warm-up image {bad[0] + 1} of {len(images)} cannot be decoded; give other images with --warmup-images"
        )
    return np.asarray(model.call(decoded))


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

    def run(signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
        definition = signatures[signature]
        feed = {definition.inputs[name].name: value for name, value in inputs.items()}
        try:
            answer: dict[str, np.ndarray[Any, Any]] = session.run(
                {name: info.name for name, info in definition.outputs.items()}, feed
            )
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


def compare_values(expected: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> float:
    """The largest difference, as a part of the range of an image's expected values.

    Args:
        expected: The source model's logits or features, float [N, D].
        found: The exported model's, float [N, D].

    Raises:
        ProofError: It is more than the tolerance.
    """
    spread = np.maximum(expected.max(axis=1) - expected.min(axis=1), np.finfo(np.float32).tiny)
    error = float((np.abs(found - expected).max(axis=1) / spread).max())
    if not error <= TOLERANCE:  # NaN is not within any tolerance either.
        raise ProofError(
            f"the exported model's numbers differ from the source model's by {error:.2g} of their range, "
            f"more than {TOLERANCE:g}"
        )
    return error


def compare_classes(
    expected: np.ndarray[Any, Any], answer: Mapping[str, np.ndarray[Any, Any]], labels: Sequence[str]
) -> int:
    """On how many images the best class is the source model's: all of them.

    Args:
        expected: The source model's logits, float [N, C].
        answer: The exported model's `serving_default`: class_ids int [N, K] and labels, bytes [N, K].
        labels: The C names of the classes.

    Raises:
        ProofError: A best class or its label is another.
    """
    best = answer["class_ids"][:, 0]
    equal = int((best == expected.argmax(axis=1)).sum())
    if equal != len(expected):
        raise ProofError(
            f"the exported model gives another best class than the source model on {len(expected) - equal} "
            f"of {len(expected)} images"
        )
    named = [name.decode("utf-8") for name in answer["labels"][:, 0]]
    if named != [labels[index] for index in best]:
        raise ProofError(f"the exported model names its classes {named}, which are not the labels of {best.tolist()}")
    return equal
