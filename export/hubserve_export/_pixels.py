"""From encoded images to pictures of a model's size, as the exported graph decodes them, and to what a model takes."""

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
# ITU-R BT.601, as Pillow converts RGB to L.
_LUMA = (0.299, 0.587, 0.114)
_WHITE = 255


def decoded(images: Sequence[bytes], preprocessing: Preprocessing) -> tuple[Array, Array]:
    """Decode and resize images.

    Args:
        images: Encoded images.
        preprocessing: Size, crop and resize, and whether pictures are made gray first. What numbers the model takes
            plays no part.

    Returns:
        status, int32 [N], and pictures, float32 [N, height, width, 3] in [0, 1], zeros where the status is not 0.
    """
    channels = "luminance" if preprocessing.channels == "luminance" else "rgb"
    plain = {**PRESETS["unit"], "channels": channels, "dtype": "float32", "layout": "NHWC"}
    decode = _decoder(dataclasses.replace(preprocessing, **plain))
    parts = [decode(tf.constant(list(images[first : first + _AT_ONCE]))) for first in range(0, len(images), _AT_ONCE)]
    status, pictures = zip(*parts, strict=True)
    return np.concatenate([one.numpy() for one in status]), np.concatenate([one.numpy() for one in pictures])


@functools.lru_cache(maxsize=4)
def _decoder(preprocessing: Preprocessing) -> Any:
    # Traced once for all conventions that are tried, and for the proof: that takes seconds.
    return tf.function(
        lambda images: decode_batch(images, preprocessing),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


def model_input(images: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Make a model's input of pictures.

    Args:
        images: float32 [N, height, width, 3] in [0, 1], red, green, blue.
        preprocessing: Channels, scale, offset, dtype and layout.

    Returns:
        `dtype` [N, height, width, C], or [N, C, height, width] where the layout is NCHW.
    """
    if preprocessing.channels == "bgr":
        images = tf.reverse(images, [-1])
    elif preprocessing.channels == "luminance":
        images = tf.reduce_sum(images * _LUMA, axis=-1, keepdims=True)
    scale = (_WHITE * np.array(preprocessing.scale, np.float64)).astype(np.float32)
    offset = np.array(preprocessing.offset, np.float32)
    # [0, 1] itself is passed on bit for bit.
    if np.any(scale != 1):
        images = images * scale
    if np.any(offset != 0):
        images = images + offset
    if preprocessing.dtype == "uint8":
        images = tf.round(images)
    images = tf.cast(images, preprocessing.dtype)
    return tf.transpose(images, [0, 3, 1, 2]) if preprocessing.layout == "NCHW" else images
