"""Any SavedModel that takes images and gives logits is a source; others are refused with the reason."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from hubserve_export import PRESETS, ModelError, Options, Preprocessing, SourceError, _head, _image_model
from hubserve_export._image_model import ImageModel
from hubserve_export._sources import Source, open_source
from models import pnasnet
from support.export_options import wanted
from support.session import LoadedVersion

ORDINARY = wanted()


class Model(tf.Module):
    """Mean colours times a matrix: the smallest image model."""

    def __init__(self, *size: int | None, outputs: int = 7) -> None:
        super().__init__()
        self.matrix = tf.Variable(np.random.default_rng(0).normal(size=(3, outputs)).astype(np.float32))
        self.spec = tf.TensorSpec([None, *size], tf.float32)

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(images, [1, 2]) @ self.matrix


class CallableModel(Model):
    """The same without signatures, and without the argument that tells training from inference."""

    @tf.function(input_signature=[tf.TensorSpec([None, 12, 10, 3], tf.float32)])
    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        return self.logits(images)


def saved(folder: Path, model: tf.Module, signatures=None) -> Source:
    tf.saved_model.save(model, str(folder), signatures=signatures)
    return Source(str(folder), "directory", folder)


def load(source: Source, options: Options = ORDINARY, numbers: str = "unit") -> ImageModel:
    """The source as an image model that takes the numbers of that preset."""
    loaded = _image_model.load(source, options)
    preprocessing = Preprocessing(loaded.height, loaded.width, **PRESETS[numbers])
    head = None
    if loaded.kind == "classification":
        images = tf.random.uniform([4, loaded.height, loaded.width, 3], seed=1)
        head = _head.choose(loaded.on_pictures(preprocessing)(images).numpy(), loaded.ending)
    return _image_model.understood(loaded, preprocessing, head)


def saved_again(model: ImageModel, folder: Path, images: np.ndarray) -> np.ndarray:
    """The answers in a session of a SavedModel that holds nothing but the model's call and state."""
    root = tf.Module()
    root.state = model.state
    signature = tf.function(
        lambda images: {"numbers": model.call(images)}, input_signature=[tf.TensorSpec([None, *images.shape[1:]])]
    )
    tf.saved_model.save(root, str(folder), {"images": signature})
    return LoadedVersion(folder).run("images", images=images)["numbers"]


def test_a_hub_module_is_called_for_inference(miniature_saved: Path) -> None:
    with open_source(str(miniature_saved)) as source:
        model = load(source)
    images = pnasnet.random_images(2, 64)
    expected = pnasnet.Pnasnet(pnasnet.MINIATURE)(tf.constant(images)).numpy()
    assert (model.outputs, model.kind) == (1001, "classification")
    assert np.allclose(model.call(tf.constant(images)), expected, rtol=1e-4, atol=1e-4)


def test_a_callable_without_a_training_argument_is_called_without_it(tmp_path: Path) -> None:
    loaded = _image_model.load(saved(tmp_path, CallableModel(12, 10, 3)), wanted())
    assert (loaded.height, loaded.width, loaded.outputs) == (12, 10, 7)


def test_a_model_without_a_callable_is_used_by_its_signature(tmp_path: Path) -> None:
    model = Model(12, 12, 3)
    function = tf.function(lambda x: {"scores": model.logits(x)}, input_signature=[model.spec])
    loaded = load(saved(tmp_path, model, {"serving_default": function}))
    images = tf.random.uniform([2, 12, 12, 3], seed=1)
    assert np.allclose(loaded.call(images), model.logits(images))


def test_of_several_signatures_the_one_that_a_server_runs_unasked_is_taken(tmp_path: Path) -> None:
    model = Model(12, 12, 3)
    names = {"a_first": 2.0, "serving_default": 1.0, "z_last": 3.0}
    signatures = {
        name: tf.function(lambda x, factor=factor: {"y": model.logits(x) * factor}, input_signature=[model.spec])
        for name, factor in names.items()
    }
    loaded = load(saved(tmp_path / "usual", model, signatures))
    images = tf.random.uniform([2, 12, 12, 3], seed=1)
    assert np.allclose(loaded.call(images), model.logits(images))
    del signatures["serving_default"]
    with pytest.raises(ModelError, match="several signatures that take images, a_first, z_last, and none of them is"):
        load(saved(tmp_path / "unusual", model, signatures))


def test_a_model_of_any_size_asks_for_one(tmp_path: Path) -> None:
    model = Model(None, None, 3)
    function = tf.function(model.logits, input_signature=[model.spec])
    source = saved(tmp_path, model, {"serving_default": function})
    with pytest.raises(ModelError, match="takes images of any size; give `image_size`"):
        load(source)
    assert _image_model.load(source, wanted(image_size=24)).height == 24


def test_a_network_of_any_size_is_taken_at_the_size_that_it_was_trained_with(tmp_path: Path) -> None:
    model = keras.applications.MobileNetV3Small(weights=None, classes=4, alpha=0.25, minimalistic=True)
    model.save(tmp_path / "model.keras")
    with open_source(str(tmp_path / "model.keras")) as source:
        loaded = _image_model.load(source, wanted())
        assert (loaded.height, loaded.width) == (224, 224)
        assert (
            "images of 224 x 224 pixels, as keras.applications' MobileNetV3 was trained with" in loaded.entry.notes[-1]
        )
        assert _image_model.load(source, wanted(image_size=96)).height == 96


def test_a_size_that_contradicts_the_model_shows_both(miniature_saved: Path) -> None:
    with (
        open_source(str(miniature_saved)) as source,
        pytest.raises(ModelError, match=r"is 65, and .* takes .* 64 x 64"),
    ):
        load(source, wanted(image_size=65))


@pytest.mark.parametrize(
    ("spec", "function", "says"),
    [
        (tf.TensorSpec([None, 4]), tf.identity, r"not an image model: serving_default takes rows of 4 numbers"),
        (tf.TensorSpec([None], tf.string), tf.strings.length, "not an image model"),
        (
            tf.TensorSpec([None, 8, 8, 3]),
            tf.identity,
            r"one tensor of logits or features .* gives y float32 \[N, 8, 8, 3\]",
        ),
    ],
    ids=["vectors", "text", "image to image"],
)
def test_a_model_that_gives_no_row_for_an_image_says_what_it_is(tmp_path: Path, spec, function, says: str) -> None:
    signature = tf.function(lambda x: {"y": function(x)}, input_signature=[spec])
    with pytest.raises(ModelError, match=says):
        load(saved(tmp_path, tf.Module(), {"serving_default": signature}))


def test_probabilities_become_logits_of_the_same_probabilities(tmp_path: Path) -> None:
    model = Model(8, 8, 3)
    model.matrix.assign(200 * model.matrix)  # so that some probabilities are zero
    function = tf.function(lambda x: tf.nn.softmax(model.logits(x)), input_signature=[model.spec])
    loaded = load(saved(tmp_path, model, {"serving_default": function}))
    images = tf.random.uniform([4, 8, 8, 3], seed=1)
    assert loaded.head.source_gives == "probabilities"
    assert np.allclose(tf.nn.softmax(loaded.call(images)), function(images), atol=1e-6)
    assert np.isfinite(loaded.call(images)).all()


def test_a_hub_handle_tells_the_kind(tmp_path: Path) -> None:
    source = saved(tmp_path, CallableModel(12, 10, 3))
    module = Source("https://tfhub.dev/me/model/feature_vector/1", "hub", source.path)
    assert (load(source).kind, load(module).kind) == ("classification", "feature_vector")


@pytest.mark.parametrize("use_resource", [False, True], ids=["variables of both kinds", "resource variables"])
def test_a_model_of_tensorflow_1_is_a_source(tmp_path: Path, use_resource: bool) -> None:
    matrix = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
    folder = tmp_path / "saved"
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, [None, 8, 8, 3])
        variable = v1.get_variable("matrix", initializer=matrix, use_resource=use_resource)
        bias = v1.get_variable("bias", initializer=matrix[0], use_resource=True)
        scores = tf.reduce_mean(images, [1, 2]) @ variable + bias
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder), {"images": images}, {"scores": scores})
    pixels = np.random.default_rng(1).uniform(size=(2, 8, 8, 3)).astype(np.float32)
    model = load(Source(str(folder), "directory", folder))
    expected = pixels.mean(axis=(1, 2)) @ matrix + matrix[0]
    assert np.allclose(saved_again(model, tmp_path / "again", pixels), expected, atol=1e-5)


def test_a_preset_is_what_the_model_is_given(tmp_path: Path) -> None:
    model = Model(8, 8, 3)
    function = tf.function(model.logits, input_signature=[model.spec])
    loaded = load(saved(tmp_path, model, {"serving_default": function}), numbers="tf")
    images = tf.random.uniform([2, 8, 8, 3], seed=1)
    assert np.allclose(loaded.call(images), model.logits(2 * images - 1), atol=1e-5)


def test_a_file_that_is_not_a_savedmodel_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"not a graph")
    with pytest.raises(SourceError, match="cannot be loaded as a SavedModel"):
        load(Source(str(tmp_path), "directory", tmp_path))


def test_a_table_that_the_call_looks_into_is_kept(tmp_path: Path) -> None:
    class WithTable(CallableModel):
        def __init__(self) -> None:
            super().__init__(12, 10, 3)
            values = tf.lookup.KeyValueTensorInitializer([0, 1], [3.0, 5.0])
            self.table = tf.lookup.StaticHashTable(values, default_value=0.0)

        def logits(self, images: tf.Tensor) -> tf.Tensor:
            return super().logits(images) * self.table.lookup(tf.constant(1))

    model = WithTable()
    loaded = load(saved(tmp_path / "saved", model))
    images = tf.random.uniform([2, 12, 10, 3], seed=1).numpy()
    assert np.allclose(saved_again(loaded, tmp_path / "again", images), model(images), atol=1e-5)
