"""Operations that a stock server could not run are refused by name before the model is published."""

import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from hubserve_export import ModelError, Options, _saved_model, _saved_model_file, export
from hubserve_export._sources import Source


class WithPython(tf.Module):
    """Calls back into Python in the middle."""

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        means = tf.py_function(lambda x: x, [tf.reduce_mean(images, [1, 2])], tf.float32)
        return tf.nn.bias_add(tf.ensure_shape(means, [None, 3]), tf.zeros(3))


class Compiled(tf.Module):
    """Has a function that must be compiled."""

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        return self.inner(images)

    @tf.function(jit_compile=True)
    def inner(self, images: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.reduce_mean(images, [1, 2]), tf.zeros(3))


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (WithPython(), r"the model uses EagerPyFunc.*, which TensorFlow Serving does not have"),
        (Compiled(), "jit_compile=True, which TensorFlow Serving refuses to run"),
    ],
    ids=["Python", "compiled"],
)
def test_a_model_that_a_server_could_not_run_is_not_published(tmp_path: Path, model: tf.Module, says: str) -> None:
    tf.saved_model.save(model, str(tmp_path / "saved"))
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\nc\n")
    with pytest.raises(ModelError, match=says):
        export(
            Options(str(tmp_path / "saved"), tmp_path / "base", labels=labels, batch_sizes=(1,), preprocessing="unit")
        )
    assert not (tmp_path / "base").exists()


def test_an_operation_that_tensorflow_does_not_know_is_named(miniature_saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(miniature_saved, tmp_path / "saved"))
    graph = folder / "saved_model.pb"
    graph.write_bytes(graph.read_bytes().replace(b"FusedBatchNormV3", b"FusedBatchNormX3"))
    with pytest.raises(ModelError, match="uses the operation FusedBatchNormX3, which stock TensorFlow does not have"):
        _saved_model.load(Source("m", "directory", folder))


def test_the_operations_of_an_export_are_all_stock(miniature_dir: Path, features_dir: Path) -> None:
    for base in (miniature_dir, features_dir):
        _saved_model_file.refuse_foreign(_saved_model_file.read(base / "1"))
