"""The entry of a model: what takes images, in every form that models take them, and the output that is meant."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from hubserve_export import ModelError, _entry, _saved_model
from hubserve_export._entry import Entry
from hubserve_export._sources import Source
from support.session import LoadedVersion

MATRIX = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
v1 = tf.compat.v1


class Net(tf.Module):
    """Mean colours times a matrix, behind the signatures that are given."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = tf.Variable(MATRIX)

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        """Takes images [N, H, W, 1 or 3] of any dtype."""
        means = tf.reduce_mean(tf.cast(images, tf.float32), [1, 2])
        return means @ self.matrix[: means.shape[1]]


def source(folder: Path, model: tf.Module, **signatures: Any) -> Source:
    tf.saved_model.save(model, str(folder), signatures=signatures or None)
    return Source(str(folder), "directory", folder)


def signature(function: Callable[..., Any], *specs: tf.TensorSpec) -> Any:
    return tf.function(function, input_signature=specs, autograph=False)


def entry_of(folder: Path, signature: str | None = None, output_name: str | None = None) -> Entry:
    given = Source("a model", "directory", folder)
    return _entry.choose(given, _saved_model.load(given), signature, output_name)[0]


def saved_again(model: Path, images: np.ndarray) -> np.ndarray:
    """The answers of the entry after it was saved, and loaded in a session as a server does."""
    given = Source("a model", "directory", model)
    root, folder = tf.Module(), model.with_name("again")
    root.kept = _saved_model.load(given)
    entry, _ = _entry.choose(given, root.kept)
    spec = tf.TensorSpec([None, *images.shape[1:]], entry.dtype)
    traced = tf.function(lambda images: {"numbers": entry.call(images)}, input_signature=[spec]).get_concrete_function()
    tf.saved_model.save(root, str(folder), signatures={"images": traced})
    return LoadedVersion(folder).run("images", images=images)["numbers"]


def expected(images: np.ndarray) -> np.ndarray:
    means = images.astype(np.float64).mean(axis=(1, 2))
    return means @ MATRIX[: means.shape[1]]


def pictures(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return (np.random.default_rng(1).uniform(size=shape) * (255 if np.dtype(dtype).kind in "iu" else 1)).astype(dtype)


@pytest.mark.parametrize("dtype", [tf.float16, tf.float32, tf.float64, tf.uint8, tf.int32, tf.int64])
def test_images_of_any_dtype_are_taken(tmp_path: Path, dtype: tf.DType) -> None:
    net = Net()
    source(tmp_path / "m", net, serving_default=signature(net.logits, tf.TensorSpec([None, 12, 10, 3], dtype)))
    entry = entry_of(tmp_path / "m")
    assert (entry.dtype, entry.height, entry.width, entry.channels, entry.layout) == (dtype, 12, 10, 3, "NHWC")
    images = pictures(2, 12, 10, 3, dtype=dtype.as_numpy_dtype)
    assert entry.call(tf.constant(images)).numpy() == pytest.approx(expected(images), rel=1e-3)


@pytest.mark.parametrize(
    ("shape", "height", "channels", "layout"),
    [
        ((None, 28, 28, 1), 28, 1, "NHWC"),
        ((None, 28, 28), 28, 1, "NHWC"),
        ((None, 3, 16, 16), 16, 3, "NCHW"),
        ((None, 1, 16, 16), 16, 1, "NCHW"),
        ((None, 3, None, None), None, 3, "NCHW"),
        ((None, 16, 16, None), 16, 3, "NHWC"),
        ((None, None, None, None), None, 3, "NHWC"),
        ((None, 3, 3, 3), 3, 3, "NHWC"),
    ],
)
def test_images_of_any_layout_are_taken(
    tmp_path: Path, shape: tuple[int | None, ...], height: int | None, channels: int, layout: str
) -> None:
    net = Net()

    def call(images: tf.Tensor) -> tf.Tensor:
        images = images[..., None] if images.shape.rank == 3 else images
        images = tf.transpose(images, [0, 2, 3, 1]) if layout == "NCHW" else images
        return net.logits(tf.ensure_shape(images, [None, None, None, channels]))

    source(tmp_path / "m", net, serving_default=signature(call, tf.TensorSpec(shape)))
    entry = entry_of(tmp_path / "m")
    assert (entry.height, entry.channels, entry.layout) == (height, channels, layout)
    images = pictures(2, height or 16, height or 16, channels)
    native = images.transpose(0, 3, 1, 2) if layout == "NCHW" else images
    assert entry.call(tf.constant(native)).numpy() == pytest.approx(expected(images), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("batch", [1, 3, 0])
def test_a_fixed_batch_is_looped_over(tmp_path: Path, batch: int) -> None:
    net = Net()

    def call(images: tf.Tensor) -> tf.Tensor:
        # A reshape to the fixed batch is what fails with any other.
        rows = tf.reshape(images, [max(batch, 1), 12 * 12, 3])
        answer = tf.reduce_mean(rows, 1) @ net.matrix
        return answer[0] if batch == 0 else answer

    spec = tf.TensorSpec([12, 12, 3] if batch == 0 else [batch, 12, 12, 3])
    source(tmp_path / "m", net, serving_default=signature(call, spec))
    entry = entry_of(tmp_path / "m")
    images = pictures(4, 12, 12, 3)
    assert entry.notes == (f"{batch or 1} at a time, because it takes no other batch",)
    assert entry.batch == max(batch, 1)
    assert saved_again(tmp_path / "m", images) == pytest.approx(expected(images), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    "shape", [lambda x: x[:, None, None], lambda x: x[:, :, None, None], lambda x: x], ids=["NHWC", "NCHW", "rows"]
)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_rows_with_sides_of_one_are_rows(tmp_path: Path, shape: Callable[[tf.Tensor], tf.Tensor], known: bool) -> None:
    net = Net()

    def call(images: tf.Tensor) -> tf.Tensor:
        answer = shape(net.logits(images))
        return answer if known else tf.raw_ops.PlaceholderWithDefault(input=answer, shape=[None] * answer.shape.rank)

    source(tmp_path / "m", net, serving_default=signature(call, tf.TensorSpec([None, 8, 8, 3])))
    images = pictures(2, 8, 8, 3)
    answer = entry_of(tmp_path / "m").call(tf.constant(images))
    assert answer.shape == (2, 5)
    assert answer.numpy() == pytest.approx(expected(images), rel=1e-4, abs=1e-5)


def test_a_map_whose_sides_are_not_known_is_not_a_row(tmp_path: Path) -> None:
    spec = tf.TensorSpec([None, None, None, 3])
    source(tmp_path / "m", tf.Module(), serving_default=signature(lambda x: {"map": 2 * x}, spec))
    with pytest.raises(ModelError, match=r"one tensor of logits or features .* gives float32 \[1, 8, 8, 3\] for 1 of"):
        entry_of(tmp_path / "m").call(tf.zeros([2, 8, 8, 3]))


@pytest.mark.parametrize(
    ("outputs", "chosen"),
    [
        (lambda y: {"default": y, "logits": 2 * y, "block/map": y[:, None] + y[:, :, None]}, "default"),
        (lambda y: {"classes": tf.argmax(y, 1), "probabilities": y}, "probabilities"),
        (lambda y: {"logits": 2 * y, "probabilities": y}, "probabilities"),
        (lambda y: {"features": y[:, :2], "Logits": y}, "Logits"),
        (lambda y: {"predictions": y, "score": tf.reduce_max(y, 1)}, "predictions"),
        (lambda y: {"names": tf.as_string(y), "best": tf.argmax(y, 1), "numbers": y}, "numbers"),
        (lambda y: {"head/logits": 2 * y, "head/softmax": y}, "head/softmax"),
    ],
)
def test_the_right_output_is_recognized_by_its_name(tmp_path: Path, outputs: Any, chosen: str) -> None:
    net = Net()
    function = signature(lambda x: outputs(net.logits(x)), tf.TensorSpec([None, 8, 8, 3]))
    source(tmp_path / "m", net, serving_default=function)
    entry = entry_of(tmp_path / "m")
    images = pictures(2, 8, 8, 3)
    assert entry.call(tf.constant(images)).numpy() == pytest.approx(expected(images), rel=1e-4, abs=1e-5)
    assert entry.notes[0].startswith(f"the output {chosen} of ")


@pytest.mark.parametrize(
    "outputs",
    [
        lambda y: {"age": y, "gender": y[:, :2]},
        lambda y: {"age/logits": y, "gender/logits": 2 * y},
        lambda y: {"logits": y, "gender": y[:, :2]},
        lambda y: {"logits": y, "probabilities": y[:, :2]},
        lambda y: {"probabilities": y, "other": 2 * y},
    ],
)
def test_two_heads_ask_which_one(tmp_path: Path, outputs: Any) -> None:
    net = Net()
    function = signature(lambda x: outputs(net.logits(x)), tf.TensorSpec([None, 8, 8, 3]))
    source(tmp_path / "m", net, serving_default=function)
    with pytest.raises(ModelError, match=r"several rows of numbers .*float32 \[N, 5\].* choose one with `output_name`"):
        entry_of(tmp_path / "m")


def test_output_name_chooses(tmp_path: Path) -> None:
    net = Net()
    function = signature(
        lambda x: {"age": 2 * net.logits(x), "gender": net.logits(x), "best": tf.argmax(net.logits(x), 1)},
        tf.TensorSpec([None, 8, 8, 3]),
    )
    source(tmp_path / "m", net, serving_default=function)
    images = pictures(2, 8, 8, 3)
    answer = entry_of(tmp_path / "m", output_name="gender").call(tf.constant(images))
    assert answer.numpy() == pytest.approx(expected(images), rel=1e-4, abs=1e-5)
    with pytest.raises(
        ModelError, match=r"does not have an output sex; its outputs are age float32 \[N, 5\], best int64 \[N\]"
    ):
        entry_of(tmp_path / "m", output_name="sex")
    with pytest.raises(ModelError, match=r"the output best of a model is int64 \[N\]; a row of float numbers"):
        entry_of(tmp_path / "m", output_name="best")


@pytest.mark.parametrize(
    ("inputs", "given"),
    [
        ({"is_training": tf.TensorSpec([], tf.bool)}, "is_training is False"),
        ({"keep_prob": tf.TensorSpec([])}, "keep_prob is 1"),
        ({"dropout_keep_prob": tf.TensorSpec(None, tf.float64)}, "dropout_keep_prob is 1"),
        ({"phase_train": tf.TensorSpec([1], tf.bool)}, "phase_train is False"),
        ({"learning_phase": tf.TensorSpec([], tf.int32)}, "learning_phase is 0"),
        ({"drop_rate": tf.TensorSpec([]), "training": tf.TensorSpec([])}, "drop_rate is 0"),
    ],
)
@pytest.mark.parametrize("called", [True, False], ids=["__call__", "signature"])
def test_scalar_inputs_with_a_plain_name_are_given(
    tmp_path: Path, inputs: dict[str, tf.TensorSpec], given: str, called: bool
) -> None:
    net = Net()

    def call(images: tf.Tensor, **others: tf.Tensor) -> tf.Tensor:
        # Right only if what is kept is 1, and everything else 0.
        factor = 1.0
        for name, value in others.items():
            value = tf.reshape(tf.cast(value, tf.float32), [])
            factor *= value if "keep" in name else 1 - value
        return net.logits(images) * factor

    names = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()}
    traced = tf.function(call, autograph=False)
    concrete = traced.get_concrete_function(tf.TensorSpec([None, 8, 8, 3], name="images"), **names)
    if called:
        type("Called", (Net,), {})
        net.__class__ = type("Called", (Net,), {"__call__": staticmethod(traced)})
        source(tmp_path / "m", net)
    else:
        source(tmp_path / "m", net, serving_default=concrete)
    entry = entry_of(tmp_path / "m")
    images = pictures(2, 8, 8, 3)
    assert given in entry.notes
    assert saved_again(tmp_path / "m", images) == pytest.approx(expected(images), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (
            tf.TensorSpec([None, 2], name="age"),
            r"age \(float32 \[N, 2\]\) besides the images, and the values to give are not known",
        ),
        (tf.TensorSpec([], name="dropout"), r"dropout \(float32 \[\]\)"),
        (tf.TensorSpec([None], tf.bool, name="is_training"), r"is_training \(bool \[N\]\)"),
        (tf.TensorSpec([None, 8, 8, 3], name="second"), r"several images at once: .*second \(float32 \[N, 8, 8, 3\]\)"),
    ],
)
def test_other_inputs_are_named(tmp_path: Path, spec: tf.TensorSpec, says: str) -> None:
    net = Net()
    function = signature(
        lambda images, other: net.logits(images) + tf.reduce_sum(tf.cast(other, tf.float32)),
        tf.TensorSpec([None, 8, 8, 3], name="images"),
        spec,
    )
    source(tmp_path / "m", net, serving_default=function)
    with pytest.raises(ModelError, match=says):
        entry_of(tmp_path / "m")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (tf.TensorSpec([None, 784]), r"takes rows of 784 numbers \(float32 \[N, 784\]\), and not images.*Reshape"),
        (tf.TensorSpec([None], tf.string), r"takes strings \(string \[N\]\).*serve it as it is"),
        (tf.TensorSpec([None, 8, 8, 4]), r"float32 \[N, 8, 8, 4\]\), and nothing takes images"),
        (tf.TensorSpec([None, 20, 6]), r"float32 \[N, 20, 6\]\), and nothing takes images"),
    ],
    ids=["rows", "strings", "four channels", "sequences"],
)
def test_what_takes_no_images_says_what_it_takes(tmp_path: Path, spec: tf.TensorSpec, says: str) -> None:
    function = signature(lambda x: tf.zeros([tf.shape(x)[0], 3]), spec)
    source(tmp_path / "m", tf.Module(), serving_default=function)
    with pytest.raises(ModelError, match=says):
        entry_of(tmp_path / "m")


class Called(Net):
    """Takes [0, 1] by `__call__`, and has an argument besides the mode."""

    @tf.function
    def __call__(self, images: tf.Tensor, training: bool = False, scale: float = 1.0) -> tf.Tensor:
        return self.logits(images) * scale * (7.0 if training else 1.0)


def called(folder: Path, *modes: bool, **signatures: Any) -> None:
    net = Called()
    for training in modes:
        net.__call__.get_concrete_function(tf.TensorSpec([None, 8, 8, 3]), training=training, scale=1.0)
        net.__call__.get_concrete_function(tf.TensorSpec([None, 8, 8, 3]), training=training, scale=3.0)
    tf.saved_model.save(
        net,
        str(folder),
        {
            name: signature(lambda x, f=f: f(net.logits(x)), tf.TensorSpec([None, 8, 8, 3]))
            for name, f in signatures.items()
        },
    )


def test_a_callable_is_taken_without_training_and_with_its_defaults(tmp_path: Path) -> None:
    called(tmp_path / "m", True, False)
    images = pictures(2, 8, 8, 3)
    answer = entry_of(tmp_path / "m").call(tf.constant(images))
    assert answer.numpy() == pytest.approx(expected(images), rel=1e-4, abs=1e-5)


def test_a_callable_that_was_traced_for_training_alone_is_not_taken(tmp_path: Path) -> None:
    called(tmp_path / "m", True)
    with pytest.raises(ModelError, match="traced for training only; save it with a trace for training=False"):
        entry_of(tmp_path / "m")
    shutil.rmtree(tmp_path / "m")
    called(tmp_path / "m", True, serving_default=lambda y: y)
    assert entry_of(tmp_path / "m").name == "serving_default"


def test_entries_that_give_the_same_rows_are_listed_and_the_others_are_named(tmp_path: Path) -> None:
    called(tmp_path / "m", False, serving_default=lambda y: 2 * y, features=lambda y: y[:, :2])
    given = Source("a model", "directory", tmp_path / "m")
    loaded = _saved_model.load(given)
    entry, others = _entry.choose(given, loaded)
    assert (entry.name, [other.name for other in others]) == ("__call__", ["serving_default"])
    assert "the entry __call__, and not features, which give something else" in entry.notes
    images = pictures(2, 8, 8, 3)
    assert others[0].call(tf.constant(images)).numpy() == pytest.approx(2 * expected(images), rel=1e-4, abs=1e-5)
    entry, others = _entry.choose(given, loaded, "serving_default")
    assert (entry.name, [other.name for other in others]) == ("serving_default", ["__call__"])
    with pytest.raises(
        ModelError, match=r"does not have a signature nothing; it has __call__\(.*, features\(.*, serving_def"
    ):
        _entry.choose(given, loaded, "nothing")


def test_a_hub_module_of_tensorflow_1_is_called_by_its_default(tmp_path: Path) -> None:
    def build(session: Any) -> dict[str, Any]:
        images = v1.placeholder(tf.float32, [None, 8, 8, 3], "images")
        matrix = v1.get_variable("matrix", initializer=MATRIX, use_resource=True)
        logits = tf.reduce_mean(images, [1, 2]) @ matrix
        ends = {"default": logits, "Net/Logits": logits, "Net/Predictions": tf.nn.softmax(logits), "Net/block": images}
        session.run(v1.global_variables_initializer())
        return {
            name: v1.saved_model.predict_signature_def({"images": images}, outputs)
            for name, outputs in {
                "default": ends,
                "image_classification": ends,
                "image_feature_vector": {"default": logits[:, :2]},
            }.items()
        }

    builder = v1.saved_model.Builder(str(tmp_path / "m"))
    with tf.Graph().as_default(), v1.Session() as session:
        builder.add_meta_graph_and_variables(session, ["serve"], build(session))
        builder.save()
    given = Source("a model", "directory", tmp_path / "m")
    entry, others = _entry.choose(given, _saved_model.load(given))
    assert (entry.name, [other.name for other in others]) == ("default", ["image_classification"])
    assert entry.notes == (
        "the entry default, and not image_feature_vector, which give something else",
        "the output default of Net/Logits, Net/Predictions, Net/block, default",
    )
    images = pictures(2, 8, 8, 3)
    assert entry.call(tf.constant(images)).numpy() == pytest.approx(expected(images), rel=1e-4, abs=1e-5)


def of_tensorflow_1(folder: Path, build: Callable[[], tuple[dict[str, Any], dict[str, Any]]]) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        inputs, outputs = build()
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder), inputs, outputs)


@pytest.mark.parametrize("use_resource", [False, True], ids=["reference variables", "resource variables"])
@pytest.mark.parametrize("default", [None, 0.5], ids=["placeholder", "with default"])
def test_a_placeholder_of_tensorflow_1_is_given_its_value(
    tmp_path: Path, use_resource: bool, default: float | None
) -> None:
    def build() -> tuple[dict[str, Any], dict[str, Any]]:
        images = v1.placeholder(tf.float32, [None, 8, 8, 3])
        keep = v1.placeholder(tf.float32, ()) if default is None else v1.placeholder_with_default(default, ())
        matrix = v1.get_variable("matrix", initializer=MATRIX, use_resource=use_resource)
        logits = v1.nn.dropout(tf.reduce_mean(images, [1, 2]), rate=1 - keep) @ matrix
        return {"images": images, "keep_prob": keep}, {"scores": logits, "classes": tf.argmax(logits, 1)}

    of_tensorflow_1(tmp_path / "m", build)
    entry = entry_of(tmp_path / "m")
    images = pictures(2, 8, 8, 3)
    assert entry.notes == ("the output scores of classes, scores", "keep_prob is 1")
    assert entry.call(tf.constant(images)).numpy() == pytest.approx(expected(images), rel=1e-4, abs=1e-5)


def test_a_placeholder_that_no_signature_takes_is_named(tmp_path: Path) -> None:
    def build() -> tuple[dict[str, Any], dict[str, Any]]:
        images = v1.placeholder(tf.float32, [None, 8, 8, 3])
        keep = v1.placeholder(tf.float32, (), "keep_prob")
        return {"images": images}, {"scores": tf.reduce_mean(images, [1, 2]) * keep}

    of_tensorflow_1(tmp_path / "m", build)
    with pytest.raises(ModelError, match="needs the placeholder keep_prob, and does not take it; save it again with"):
        entry_of(tmp_path / "m")
