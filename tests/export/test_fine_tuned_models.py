"""Models that people fine-tuned and saved themselves: the exported answers are those of `model.predict`."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras

from hubserve_export import Options, export
from models.pnasnet import random_images
from support.decoding import decode
from support.photographs import CHELSEA, COFFEE, GRACE_HOPPER
from support.session import LoadedVersion

# Keras 3 asks NumPy 2 for arrays of TensorFlow 2.20's variables, which do not know NumPy 2's copy=False.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SIZE = 64
LABELS = ["cat", "cup", "person"]
PHOTOGRAPHS = [path.read_bytes() for path in (CHELSEA, COFFEE, GRACE_HOPPER)]


def write_hub_module(folder: Path) -> None:
    """The hub's reusable form of a little network: colours less their average, as a batch norm has it."""
    weights = tf.Variable(np.random.default_rng(0).normal(size=[3, 8]), dtype=tf.float32)
    average = tf.Variable(tf.zeros(8), trainable=False)

    @tf.function
    def call(images, training=False, batch_norm_momentum=0.99):
        features = tf.reduce_mean(images, [1, 2]) @ weights
        if not training:
            return features - average
        mean = tf.reduce_mean(features, 0)
        average.assign(batch_norm_momentum * average + (1 - batch_norm_momentum) * mean)
        return features - mean

    for training in (False, True):
        call.get_concrete_function(tf.TensorSpec([None, SIZE, SIZE, 3]), training, tf.TensorSpec([]))
    module = tf.train.Checkpoint(variables=[weights, average], trainable_variables=[weights])
    module.__call__ = call
    tf.saved_model.save(module, str(folder))


def hub_layer_in_a_functional_model(module: Path) -> tf_keras.Model:
    images = tf_keras.Input((SIZE, SIZE, 3))
    features = hub.KerasLayer(str(module), trainable=True, arguments={"batch_norm_momentum": 0.9})(images)
    scores = tf_keras.layers.Dense(len(LABELS), activation="softmax")(tf_keras.layers.Dropout(0.5)(features))
    return trained(tf_keras.Model(images, scores))


def batch_norm_and_dropout() -> keras.Model:
    images = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(8, 5, strides=4)(images)
    x = keras.layers.BatchNormalization(momentum=0.5)(x)
    x = keras.layers.Dropout(0.5)(keras.layers.GlobalMaxPooling2D()(x))
    return trained(keras.Model(images, keras.layers.Dense(len(LABELS), activation="softmax")(x)))


def trained(model: Any) -> Any:
    """One step, which moves the averages of batch norms."""
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(random_images(6, SIZE), np.arange(6) % len(LABELS))
    return model


def exported_scores(saved: Path, base: Path) -> np.ndarray:
    """The exported model's scores of the photographs, in the order of the labels: float [N, C]."""
    labels = base.parent / "labels.txt"
    labels.write_text("\n".join(LABELS), encoding="utf-8")
    version = export(Options(str(saved), base, labels=labels, batch_sizes=(1, 3), preprocessing="unit")).folder
    answer = LoadedVersion(version).run("serving_default", image_bytes=PHOTOGRAPHS)
    return np.take_along_axis(answer["scores"], answer["class_ids"].argsort(axis=1), axis=1)


def own_scores(model: Any) -> np.ndarray:
    _, levels = decode(*PHOTOGRAPHS, height=SIZE, width=SIZE)
    return model.predict((levels / 255).astype(np.float32), verbose=0)


@pytest.mark.slow
def test_a_hub_layer_in_a_functional_keras_2_model(tmp_path: Path) -> None:
    write_hub_module(tmp_path / "module")
    model = hub_layer_in_a_functional_model(tmp_path / "module")
    model.save(tmp_path / "model", save_format="tf")
    assert exported_scores(tmp_path / "model", tmp_path / "base") == pytest.approx(own_scores(model), abs=1e-5)


def test_a_keras_3_model_exported_by_keras(tmp_path: Path) -> None:
    model = batch_norm_and_dropout()
    model.export(tmp_path / "model", verbose=False)
    assert exported_scores(tmp_path / "model", tmp_path / "base") == pytest.approx(own_scores(model), abs=1e-5)
