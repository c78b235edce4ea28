"""Composite transparent images over white, as viewers show them on a page."""

from __future__ import annotations

import tensorflow as tf

# Pixels that are composited at a time. They need 11 more bytes each while they are composited.
_AT_A_TIME = 2**18


def over_white(image: tf.Tensor) -> tf.Tensor:
    """Composite uint8 [h, w, 4] (not premultiplied) over white: uint8 [h, w, 3], rounded to nearest.

    A large image is composited some rows at a time, so that it takes 7 bytes for each pixel and not 19.
    """
    height = tf.shape(image)[0]
    step = tf.maximum(_AT_A_TIME // tf.maximum(tf.shape(image)[1], 1), 1)

    def by_rows() -> tf.Tensor:
        parts = tf.TensorArray(tf.uint8, -(-height // step), element_shape=[None, None, 3], infer_shape=False)
        _, parts = tf.while_loop(
            lambda number, _: number * step < height,
            lambda number, parts: (
                number + 1,
                parts.write(number, _composited(image[number * step : (number + 1) * step])),
            ),
            (tf.constant(0), parts),
            parallel_iterations=1,
        )
        return parts.concat()

    return tf.cond(step < height, by_rows, lambda: _composited(image))


def _composited(image: tf.Tensor) -> tf.Tensor:
    """Composite at once, in 16 bits: the largest sum, 255 * 255 + 127, just fits."""
    wide = tf.cast(image, tf.uint16)
    colour, opacity = wide[..., :3], wide[..., 3:]
    white = tf.constant(255, tf.uint16)
    half = tf.constant(127, tf.uint16)
    return tf.cast((colour * opacity + white * (white - opacity) + half) // white, tf.uint8)
