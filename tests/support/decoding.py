"""The decoding part of the exported graph, to be called on bytes."""

import functools

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hubserve_export._preprocessing import DEFAULT_MAX_PIXELS
from hubserve_export.decode.batch import Preprocessing, decode_batch

# Not square, so that height and width cannot be confused.
HEIGHT, WIDTH = 96, 80


@functools.cache
def _function(preprocessing: Preprocessing) -> tf.types.experimental.PolymorphicFunction:
    return tf.function(
        lambda image_bytes: decode_batch(image_bytes, preprocessing),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


def decode(
    *images: bytes,
    height: int = HEIGHT,
    width: int = WIDTH,
    crop_fraction: float = 1.0,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> tuple[list[int], npt.NDArray[np.float64]]:
    """Status of each image, and pixels in [0, 255]."""
    preprocessing = Preprocessing(height, width, crop_fraction, max_pixels)
    status, pixels = _function(preprocessing)(tf.constant(list(images), tf.string, shape=[len(images)]))
    return status.numpy().tolist(), pixels.numpy().astype(np.float64) * 255
