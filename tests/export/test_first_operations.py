"""The first operations of a graph tell which pixels it takes."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from hubserve_export import _first_operations, _input_range
from hubserve_export._image_model import load
from hubserve_export._sources import Source
from support.export_options import wanted

layers = keras.layers
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
BGR_MEAN = np.array([103.939, 116.779, 123.68], np.float32)


def found(first, channels: int = 3, layout: str = "NHWC") -> list[str]:
    """The presets of a function that begins with `first` and goes on with a convolution."""
    kernel = tf.Variable(tf.ones((2, 2, channels, 4)))

    def function(images: tf.Tensor) -> tf.Tensor:
        x = first(images)
        x = tf.transpose(x, [0, 2, 3, 1]) if layout == "NCHW" else x
        return tf.nn.conv2d(x, kernel, 1, "SAME")

    shape = [None, 8, 8, channels] if layout == "NHWC" else [None, channels, 8, 8]
    concrete = tf.function(function, input_signature=[tf.TensorSpec(shape)]).get_concrete_function()
    affine = _first_operations.read(concrete, channels, layout).affine
    assert affine is not None
    return [
        f"{name}{'-bgr' if fields['channels'] == 'bgr' else ''}" for name, fields, _ in _input_range.presets(affine)
    ]


@tf.function
def inside(x: tf.Tensor) -> tf.Tensor:
    return tf.identity(x) / 127.5


VARIABLE = tf.Variable(STD)


@pytest.mark.parametrize(
    ("first", "presets"),
    [
        (lambda x: x / 255, ["raw"]),
        (lambda x: x * 2 - 1, ["unit"]),
        (lambda x: (x - 0.5) / 0.5, ["unit"]),
        (lambda x: x - 0.5, ["unit"]),
        (lambda x: x / 127.5 - 1, ["raw"]),
        (lambda x: inside(x) - 1, ["raw"]),
        (lambda x: (x - 127) / 128, ["raw"]),
        (lambda x: (x + 1) / 2, ["tf"]),
        (lambda x: (x + 1) * 127.5, ["tf"]),
        (lambda x: (x - MEAN) / VARIABLE, ["unit"]),
        (lambda x: (x / 255 - MEAN) / STD, ["raw"]),
        (lambda x: (x - 255 * MEAN) / (255 * VARIABLE), ["raw"]),
        (lambda x: x * STD + MEAN, ["torch"]),
        (lambda x: x[..., ::-1] - BGR_MEAN, ["raw"]),
        (lambda x: tf.reverse(x, [-1]) - BGR_MEAN, ["raw"]),
        (lambda x: tf.gather(x, [2, 1, 0], axis=-1) - BGR_MEAN, ["raw"]),
        (lambda x: x - BGR_MEAN, ["raw-bgr"]),
        (lambda x: (x + BGR_MEAN) / 255, ["caffe-bgr"]),
        (lambda x: tf.cast(tf.cast(x, tf.float16) * tf.cast(1 / 255, tf.float16), tf.float32), ["raw"]),
        (lambda x: tf.stack([x[..., 2] - 103.939, x[..., 1] - 116.779, x[..., 0] - 123.68], -1), ["raw"]),
        (lambda x: tf.concat([c - m for c, m in zip(tf.split(x, 3, -1)[::-1], BGR_MEAN, strict=True)], -1), ["raw"]),
        (lambda x: tf.stack(tf.unstack(x / 255, axis=-1), axis=-1), ["raw"]),
        (lambda x: tf.stack([x[..., 0], x[..., 1] / 2, x[..., 2]], -1), []),
        (lambda x: tf.image.resize(x / 255, (6, 6)), ["raw"]),
        (lambda x: x, []),
        (lambda x: 0.97 * x, []),
        (lambda x: x / 255 if x is None else tf.tanh(x), []),
    ],
)
def test_the_preset_that_comes_out_in_a_range_for_networks(first, presets: list[str]) -> None:
    assert found(first) == presets


def test_one_channel_and_channels_first() -> None:
    assert found(lambda x: x / 255, channels=1) == ["raw"]
    mean, std = MEAN.reshape(3, 1, 1), STD.reshape(3, 1, 1)
    assert found(lambda x: (x - mean) / std, layout="NCHW") == ["unit"]


def test_ways_that_differ_tell_nothing() -> None:
    kernel = tf.ones((1, 1, 3, 1))

    def function(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(x / 255, kernel, 1, "SAME") + tf.nn.conv2d(x, kernel, 1, "SAME")

    concrete = tf.function(function, input_signature=[tf.TensorSpec([None, 8, 8, 3])]).get_concrete_function()
    assert _first_operations.read(concrete, 3, "NHWC").affine is None


@pytest.mark.parametrize(
    "first",
    [
        [layers.Rescaling(1 / 127.5, offset=-1)],
        [layers.RandomFlip(), layers.Rescaling(1 / 255)],
        [layers.Normalization(mean=[123.7, 116.3, 103.5], variance=[3400.0, 3260.0, 3290.0])],
        [layers.Rescaling(1 / 255), layers.Normalization(mean=MEAN.tolist(), variance=(STD**2).tolist())],
        [layers.Lambda(keras.applications.resnet50.preprocess_input)],
    ],
    ids=["rescaling", "augmentation", "normalization", "both", "preprocess_input"],
)
def test_keras_layers_in_a_saved_model(tmp_path: Path, first: list) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), *first, layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)])
    archive = keras.export.ExportArchive()
    archive.track(model)
    spec = tf.TensorSpec([None, 8, 8, 3])
    archive.add_endpoint("serve", lambda x: model(x, training=False), input_signature=[spec])
    archive.write_out(str(tmp_path), verbose=False)
    loaded = load(Source(str(tmp_path), "directory", tmp_path), wanted())
    affine = _first_operations.read(loaded.numbers, 3, "NHWC").affine
    assert affine is not None
    assert [name for name, *_ in _input_range.presets(affine)] == ["raw"]


def test_a_batch_norm_of_the_input_tells_by_its_averages() -> None:
    mean, variance = 255 * MEAN, (255 * STD) ** 2

    def first(x: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=[1.5, 0.5, 1.0], offset=[0.1, 0.2, 0.3], mean=mean, variance=variance, is_training=False
        ).y

    assert found(first) == ["raw"]
