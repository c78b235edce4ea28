"""Any SavedModel that takes images and gives logits is a source; what is not says what it is."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from hubserve_export import _image_model
from hubserve_export._errors import ModelError, SourceError
from hubserve_export._sources import Source, open_source
from models import pnasnet


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


def test_a_hub_module_is_called_for_inference(miniature_saved: Path) -> None:
    with open_source(str(miniature_saved)) as source:
        model = _image_model.load(source)
    images = pnasnet.random_images(2, 64)
    expected = pnasnet.Pnasnet(pnasnet.MINIATURE)(tf.constant(images)).numpy()
    assert (model.height, model.width, model.classes) == (64, 64, 1001)
    assert np.allclose(model.call(tf.constant(images)), expected, rtol=1e-4, atol=1e-4)


def test_a_callable_without_a_training_argument_is_called_without_it(tmp_path: Path) -> None:
    loaded = _image_model.load(saved(tmp_path, CallableModel(12, 10, 3)))
    assert (loaded.height, loaded.width, loaded.classes) == (12, 10, 7)


def test_a_model_without_a_callable_is_used_by_its_signature(tmp_path: Path) -> None:
    model = Model(12, 12, 3)
    function = tf.function(lambda x: {"scores": model.logits(x)}, input_signature=[model.spec])
    loaded = _image_model.load(saved(tmp_path, model, {"serving_default": function}))
    images = tf.random.uniform([2, 12, 12, 3], seed=1)
    assert np.allclose(loaded.call(images), model.logits(images))


def test_a_model_of_any_size_asks_for_one(tmp_path: Path) -> None:
    model = Model(None, None, 3)
    function = tf.function(model.logits, input_signature=[model.spec])
    source = saved(tmp_path, model, {"serving_default": function})
    with pytest.raises(ModelError, match="takes images of any size; say which with --image-size"):
        _image_model.load(source)
    assert _image_model.load(source, image_size=24).height == 24


def test_a_size_that_contradicts_the_model_shows_both(miniature_saved: Path) -> None:
    with (
        open_source(str(miniature_saved)) as source,
        pytest.raises(ModelError, match=r"is 65, and .* takes .* 64 x 64"),
    ):
        _image_model.load(source, image_size=65)


@pytest.mark.parametrize(
    ("spec", "function", "says"),
    [
        (tf.TensorSpec([None, 4]), tf.identity, r"not an image model: it has serving_default\(.*None, 4"),
        (tf.TensorSpec([None], tf.string), tf.strings.length, "not an image model"),
        (tf.TensorSpec([None, 8, 8, 3]), tf.identity, r"not a classifier: .* gives float32 \(None, 8, 8, 3\)"),
    ],
    ids=["vectors", "text", "image to image"],
)
def test_a_model_that_is_no_image_classifier_says_what_it_is(tmp_path: Path, spec, function, says: str) -> None:
    signature = tf.function(lambda x: {"y": function(x)}, input_signature=[spec])
    with pytest.raises(ModelError, match=says):
        _image_model.load(saved(tmp_path, tf.Module(), {"serving_default": signature}))


def test_a_file_that_is_no_savedmodel_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"not a graph")
    with pytest.raises(SourceError, match="cannot be loaded as a SavedModel"):
        _image_model.load(Source(str(tmp_path), "directory", tmp_path))
