"""The models of many tests: how each is made in a folder. TensorFlow is imported here."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from hubserve_export import Options, export
from models import pnasnet

_CLASSES = 1001


def lite0(base: Path) -> None:
    export(Options("efficientnet-lite0", base, batch_sizes=(1, 8)))


def miniature_saved(folder: Path) -> None:
    pnasnet.Pnasnet(pnasnet.MINIATURE).save(folder)


class _Light(tf.Module):
    """A classifier of one convolution with random weights: where the network does not matter, it costs little."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        self.kernel = tf.Variable(rng.normal(size=(8, 8, 3, 32)).astype(np.float32) / 8)
        self.weights = tf.Variable(rng.normal(size=(32, _CLASSES)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 64, 64, 3], tf.float32)])
    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        # Pixels from -1 to 1, as an export can read from these operations.
        found = tf.nn.relu(tf.nn.conv2d(images * 2 - 1, self.kernel, 8, "VALID"))
        return tf.reduce_mean(found, [1, 2]) @ self.weights


def light_saved(folder: Path) -> None:
    tf.saved_model.save(_Light(), str(folder))


def features_saved(folder: Path) -> None:
    pnasnet.Pnasnet(dataclasses.replace(pnasnet.MINIATURE, classes=None)).save(folder)


def of(saved: Path, base: Path, **options: Any) -> None:
    """Exports one of the above."""
    export(Options(str(saved), base, batch_sizes=(1, 2), **options))
