"""Weights of a resize along one axis, as matrices: the same as in TensorFlow's operations on the CPU.

The operations are ScaleAndTranslate for bilinear, bicubic and lanczos3, ResizeArea for area, and ResizeNearestNeighbor
for nearest. Without antialias, ScaleAndTranslate gives the same as ResizeBilinear and ResizeBicubic.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from .._preprocessing import Preprocessing

# The numbers that describe an axis of an image: the number of its pixels, how many of them a place of the result takes
# up, and how far the resized image is moved, in places of the result.
AXIS = 3


def axes(length: tf.Tensor, step: tf.Tensor, moved: tf.Tensor) -> tf.Tensor:
    """Describe axes by the three numbers of each, float32 [axes] each: float32 [axes, AXIS]."""
    return tf.stack([length, step, moved], -1)


def matrix(axis: tf.Tensor, places: int, length: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Return the weight of each pixel in each place of the result.

    Args:
        axis: The same axis of N images, float32 [N, AXIS]; zeros for an image without pixels.
        places: Pixels of the result along the axis.
        length: Pixels of the canvas along the axis, int32 scalar.
        preprocessing: Interpolation and antialias.

    Returns:
        float32 [N, places, length]. The weights of a place within the image add up to 1. All weights of another place,
        and of pixels outside the image, are 0.
    """
    pixels, step, moved = (value[:, None, None] for value in tf.unstack(axis, axis=-1))
    place = tf.range(places, dtype=tf.float32)[None, :, None] - moved
    source = tf.range(tf.cast(length, tf.float32))[None, None, :]
    center = (place + 0.5) * step
    weight = _WEIGHTS[preprocessing.interpolation](source, place, step, pixels, preprocessing)
    inside = (source < pixels) & (center >= 0) & (center <= pixels)
    weight = tf.where(inside, weight, 0.0)
    return tf.math.divide_no_nan(weight, tf.reduce_sum(weight, -1, keepdims=True))


_Weights = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, Preprocessing], tf.Tensor]


def _nearest(source: tf.Tensor, place: tf.Tensor, step: tf.Tensor, pixels: tf.Tensor, _: Preprocessing) -> tf.Tensor:
    """Take the pixel that the center of the place lies in."""
    return tf.cast(source == tf.minimum(tf.floor((place + 0.5) * step), pixels - 1), tf.float32)


def _area(source: tf.Tensor, place: tf.Tensor, step: tf.Tensor, _: tf.Tensor, __: Preprocessing) -> tf.Tensor:
    """Take each pixel by the part of it that the place covers."""
    return tf.maximum(tf.minimum(source + 1, (place + 1) * step) - tf.maximum(source, place * step), 0.0)


def _of(kernel: Callable[[tf.Tensor], tf.Tensor]) -> _Weights:
    """Return the weights of a kernel, a function of the distance >= 0 from the center."""

    def weights(
        source: tf.Tensor, place: tf.Tensor, step: tf.Tensor, _: tf.Tensor, preprocessing: Preprocessing
    ) -> tf.Tensor:
        widened = tf.maximum(step, 1.0) if preprocessing.antialias else 1.0
        return kernel(tf.abs(source + 0.5 - (place + 0.5) * step) / widened)

    return weights


def _triangle(distance: tf.Tensor) -> tf.Tensor:
    return tf.maximum(1 - distance, 0.0)


def _keys_cubic(distance: tf.Tensor) -> tf.Tensor:
    """Return Keys' cubic with a = -0.5 (Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981)."""
    near = (1.5 * distance - 2.5) * distance * distance + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return tf.where(distance < 1, near, tf.where(distance < 2, far, 0.0))


def _lanczos3(distance: tf.Tensor) -> tf.Tensor:
    """Return sinc(x) sinc(x / 3) within 3."""
    angle = math.pi * tf.maximum(distance, 1e-3)
    value = 3 * tf.sin(angle) * tf.sin(angle / 3) / (angle * angle)
    return tf.where(distance < 3, tf.where(distance <= 1e-3, 1.0, value), 0.0)


_WEIGHTS: dict[str, _Weights] = {
    "nearest": _nearest,
    "area": _area,
    "bilinear": _of(_triangle),
    "bicubic": _of(_keys_cubic),
    "lanczos3": _of(_lanczos3),
}
