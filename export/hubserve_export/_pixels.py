"""Decode images to a model's size, as the exported graph does, and convert them to the model's input."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ._preprocessing import PRESETS, Preprocessing
from .decode.batch import decode_batch

Array = np.ndarray[Any, Any]

_AT_ONCE = 32
# ITU-R BT.601, as in Pillow's conversion of RGB to L.
_LUMA = (0.299, 0.587, 0.114)
_WHITE = 255


def decoded(images: Sequence[bytes], preprocessing: Preprocessing) -> tuple[Array, Array]:
    """Decode and resize images.

    Args:
        images: Encoded images.
        preprocessing: Size, crop and resize, and whether images are made gray first. The numbers for the model are not
            used.

    Returns:
        status, int32 [N], and images, float32 [N, height, width, 3] in [0, 1], zeros if the status is not 0.
    """
    channels = "luminance" if preprocessing.channels == "luminance" else "rgb"
    plain = {**PRESETS["unit"], "channels": channels, "dtype": "float32", "layout": "NHWC"}
    decode = _decoder(dataclasses.replace(preprocessing, **plain))
    parts = [decode(tf.constant(list(images[first : first + _AT_ONCE]))) for first in range(0, len(images), _AT_ONCE)]
    status, pictures = zip(*parts, strict=True)
    return np.concatenate([one.numpy() for one in status]), np.concatenate([one.numpy() for one in pictures])


@functools.lru_cache(maxsize=4)
def _decoder(preprocessing: Preprocessing) -> Any:
    # Traced once for the proof and for all conventions that are tried, because tracing takes seconds.
    return tf.function(
        lambda images: decode_batch(images, preprocessing),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


def model_input(images: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Convert decoded images to a model's input.

    Args:
        images: float32 [N, height, width, 3] in [0, 1], red, green, blue.
        preprocessing: Channels, scale, offset, dtype and layout.

    Returns:
        `dtype` [N, height, width, C], or [N, C, height, width] if the layout is NCHW.
    """
    if preprocessing.channels == "bgr":
        images = tf.reverse(images, [-1])
    elif preprocessing.channels == "luminance":
        images = tf.reduce_sum(images * _LUMA, axis=-1, keepdims=True)
    scale = (_WHITE * np.array(preprocessing.scale, np.float64)).astype(np.float32)
    offset = np.array(preprocessing.offset, np.float32)
    # A model that takes [0, 1] gets exactly the decoded values.
    if np.any(scale != 1):
        images = images * scale
    if np.any(offset != 0):
        images = images + offset
    if preprocessing.dtype == "uint8":
        images = tf.round(images)
    images = tf.cast(images, preprocessing.dtype)
    return tf.transpose(images, [0, 3, 1, 2]) if preprocessing.layout == "NCHW" else images
