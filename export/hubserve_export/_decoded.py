"""Encoded images to pictures of a model's size, decoded as the exported graph decodes them."""

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
