"""A model whose answer depends on more than the image is refused, with the cause."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from hubserve_export import Options, ProofError, _proof, _steady, _warmup_records, export
from hubserve_export._head import Head
from hubserve_export._proof import Reference

SIZE = 8
RANDOM = "gives one image another answer each time, by .* it uses random numbers, like augmentation or dropout"
NEIGHBOURS = "another answer in a batch than alone, by .* like batch normalization that is left in training mode"
STEADY = tf.Variable(np.random.default_rng(0).normal(size=[3, 4]), dtype=tf.float32)

Layer = Callable[[tf.Tensor], tf.Tensor]


def scores(images: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(images, [1, 2]) @ STEADY


def refused(tmp_path: Path, call: Layer, preprocessing: str | None = "unit") -> None:
    """Export the call as a model of four classes."""
    model = tf.Module()
    model.variable = STEADY
    signature = tf.function(
        lambda images: {"scores": call(images)}, input_signature=[tf.TensorSpec([None, SIZE, SIZE, 3])]
    )
    # Two functions of one model, as Keras saves them.
    tf.saved_model.save(model, str(tmp_path / "model"), {"serving_default": signature, "serve": signature})
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    options = Options(
        str(tmp_path / "model"),
        tmp_path / "base",
        labels=tmp_path / "labels.txt",
        batch_sizes=(1, 8),
        preprocessing=preprocessing,
    )
    with pytest.raises(ProofError, match=RANDOM if call is noisy else NEIGHBOURS):
        export(options)
    assert not (tmp_path / "base").exists()


def proven(layer: Layer, pictures: int = 4) -> None:
    """Have the layer's answers to so many images compared, and the reason found where they differ."""
    pixels = np.random.default_rng(1).uniform(size=(pictures, SIZE, SIZE, 3)).astype(np.float32)

    def numbers(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return layer(tf.constant(images)).numpy()

    try:
        _steady.check(numbers, pixels, numbers(pixels), _steady.TOLERANCE)
    except _steady.DifferentError as error:
        raise _steady.explain(numbers, pixels, _steady.TOLERANCE) or error from error


def normalized(images: tf.Tensor) -> tf.Tensor:
    mean, variance = tf.nn.moments(images, [0, 1, 2])
    return scores((images - mean) * tf.math.rsqrt(variance + 1e-3))


def with_the_image_before(images: tf.Tensor) -> tf.Tensor:
    return scores(0.9 * images + 0.1 * tf.roll(images, 1, axis=0))


def noisy(images: tf.Tensor) -> tf.Tensor:
    return scores(images + tf.random.uniform(tf.shape(images)))


def drawn_alike_each_time(images: tf.Tensor) -> tf.Tensor:
    return scores(images * tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], [1, 2], 0.5, 1))


@pytest.mark.parametrize("layer", [normalized, noisy])
def test_an_export_that_is_not_steady_is_refused_and_leaves_nothing(tmp_path: Path, layer: Layer) -> None:
    refused(tmp_path, layer)


def test_chance_is_named_before_anyone_is_asked_for_the_preprocessing(tmp_path: Path) -> None:
    refused(tmp_path, noisy, preprocessing=None)


@pytest.mark.parametrize("pictures", [1, 4])
@pytest.mark.parametrize("layer", [normalized, with_the_image_before])
def test_an_answer_that_depends_on_the_batch_is_refused(layer: Layer, pictures: int) -> None:
    with pytest.raises(ProofError, match=NEIGHBOURS):
        proven(layer, pictures)


@pytest.mark.parametrize(
    "layer",
    [
        lambda images: scores(tf.nn.dropout(images, 0.5)),
        lambda images: scores(images * tf.random.uniform([], 0.5, 1)),
        drawn_alike_each_time,
    ],
    ids=["dropout", "one brightness for a batch", "drawn alike each time"],
)
def test_an_answer_that_depends_on_chance_is_refused(layer: Layer) -> None:
    with pytest.raises(ProofError, match=RANDOM):
        proven(layer)


def test_copies_that_are_answered_differently_in_one_batch_are_refused() -> None:
    rows = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.2]])
    _steady.check_copies(rows[:3], [0, 1, 0], _steady.TOLERANCE)
    with pytest.raises(ProofError, match=RANDOM):
        _steady.check_copies(rows, [0, 1, 0, 1], _steady.TOLERANCE)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [("float32", _steady.TOLERANCE), ("float16", _steady.TOLERANCE_OF_HALF), ("bfloat16", _steady.TOLERANCE_OF_HALF)],
)
def test_half_precision_has_more_tolerance(dtype: str, tolerance: float) -> None:
    saved = saved_model_pb2.SavedModel()
    function = tf.function(lambda x: tf.cast(tf.cast(x, dtype) * 2, tf.float32)).get_concrete_function(
        tf.TensorSpec([None])
    )
    saved.meta_graphs.add().graph_def.CopyFrom(function.graph.as_graph_def())
    assert _steady.tolerance_of(saved) == tolerance


def test_what_depends_on_the_image_alone_needs_no_explanation() -> None:
    proven(scores)
    pixels = np.random.default_rng(1).uniform(size=(3, SIZE, SIZE, 3)).astype(np.float32)
    assert _steady.explain(lambda images: scores(images).numpy(), pixels, _steady.TOLERANCE) is None


def test_a_single_logit_is_not_measured_alone() -> None:
    near_zero = np.array([[0.0, 1e-6]])
    assert _steady.difference(near_zero, near_zero + 1e-6) == pytest.approx(1)
    assert _steady.difference(near_zero, near_zero + 1e-6, least_range=1) == pytest.approx(1e-6)


class Scripted:
    """A version of three classes and four images, whose answers come from a table; it counts the images it is asked."""

    images = (b"0", b"1", b"2", b"3")
    labels = ("a", "b", "c")
    logits = np.array([[0, 5, 1], [4, 0, 1], [0, 1, 6], [7, 1, 0]], np.float32)

    def __init__(self, folder: Path) -> None:
        saved_model = saved_model_pb2.SavedModel()
        saved_model.meta_graphs.add()
        (folder / "saved_model.pb").write_bytes(saved_model.SerializeToString())
        self.records = _warmup_records.plan(
            self.images, (1, 2, 4, 8, 16, 32), ("serving_default", "logits", "classify")
        )
        self.asked = 0
        pixels = np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1).repeat(3, axis=3)
        self.reference = Reference(self.images, pixels, self.logits, Head("exclusive", "softmax", "logits", 3, ""))

    def run(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        ((name, given),) = inputs.items()
        self.asked += len(given)
        if name == "images":
            return {"logits": self.answer(given[:, 0, 0, 0].astype(int), len(given))}
        if name == "inputs":
            examples = [tf.train.Example.FromString(example) for example in given]
            given = [example.features.feature["image/encoded"].bytes_list.value[0] for example in examples]
        rows = self.answer(
            np.array([self.images.index(image) if image in self.images else 0 for image in given]), len(given)
        )
        best = rows.argsort(axis=1)[:, ::-1]
        labels = np.array([[name.encode() for name in self.labels]], object).repeat(len(rows), axis=0)
        labels = np.take_along_axis(labels, best, axis=1)
        scores = np.take_along_axis(tf.nn.softmax(rows).numpy(), best, axis=1)
        if signature == "classify":
            return {"classes": labels, "scores": scores}
        if signature == "logits":
            return {"status": np.zeros(len(rows), int), "logits": rows}
        return {"status": np.zeros(len(rows), int), "class_ids": best, "labels": labels, "scores": scores}

    def answer(self, places: npt.NDArray[np.int64], batch: int) -> npt.NDArray[np.float32]:
        return self.logits[places]


def test_the_proof_runs_the_batches_that_differ_in_kind(tmp_path: Path) -> None:
    version = Scripted(tmp_path)
    parity = _proof.prove(version.run, tmp_path, version.reference, version.records, 32, version.labels)
    assert (parity.warmup_records, parity.max_change, parity.max_error) == (13, 0, 0)
    # One image of each format, one image in each other signature, and two batches of several images.
    records = (1 + 5) + 2 + (2 + 8)
    # All images by each of four signatures, and each alone.
    assert version.asked == records + 4 * 4 + 4


@pytest.mark.parametrize(("size", "model_batch"), [(2, 1), (8, 1), (16, 8), (32, 16)])
def test_an_answer_that_differs_in_one_kind_of_batch_alone_is_noticed(
    size: int, model_batch: int, tmp_path: Path
) -> None:
    class AtSize(Scripted):
        def answer(self, places: npt.NDArray[np.int64], batch: int) -> npt.NDArray[np.float32]:
            return self.logits[places] + (batch == size) * np.float32([0, 0, 1])

    version = AtSize(tmp_path)
    with pytest.raises(ProofError, match=r"answers one image in two ways, which differ by 0\.25? of the range"):
        _proof.prove(
            version.run, tmp_path, version.reference, version.records, 32, version.labels, model_batch=model_batch
        )
