"""A picture in [0, 1] to what a model takes: channel order, scale, offset, data type, layout."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ._preprocessing import Preprocessing

# ITU-R BT.601, as Pillow converts RGB to L.
_LUMA = (0.299, 0.587, 0.114)
_WHITE = 255


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
