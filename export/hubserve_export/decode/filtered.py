"""Resize with a filter (triangle, cubic, Lanczos), along one axis at a time, with TensorFlow's ScaleAndTranslate.

ScaleAndTranslate computes all rows of the result, then all columns. For a row it adds up whole rows of the image, which
the CPU does many numbers at a time. For a column it adds up pixel by pixel, three numbers at a time. This takes most of
its time. Here both axes are rows: the op makes the rows, the result is transposed, and the op makes the rows of that.
The op adds up the same products in the same order, so that the result is the same, bit for bit.

TensorFlow sets up the nodes of this module for every batch, so that there are few of them.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ._not_inlined import not_inlined

# One axis at a time takes more memory: two copies of the rows, in float32, as wide as the image. This is the most
# numbers of such a copy (16 MiB), so that a wide image does not take more than `cost.py` counts for it.
MOST_NUMBERS = 2**22

Size = tuple[int | tf.Tensor, int | tf.Tensor]


class Filter(NamedTuple):
    """A filter of ScaleAndTranslate: the name of its kernel, and whether it is widened for a smaller image."""

    kernel: str
    antialias: bool


class Placing(NamedTuple):
    """The place of the result in the image, as ScaleAndTranslate defines it.

    Attributes:
        scale: The factors of height and width, float32 [2].
        translation: How far the scaled image is moved down and right, in pixels of the result, float32 [2].
    """

    scale: tf.Tensor
    translation: tf.Tensor


def resized(image: tf.Tensor, target: Size, filter_: Filter, placing: Placing | None = None) -> tf.Tensor:
    """Return the image resized with the filter.

    Args:
        image: uint8 or float32 [h, w, 3], not empty.
        target: Height and width of the result, int or int32 scalars.
        filter_: The filter.
        placing: Where the result lies in the image; None: it is the whole image.

    Returns:
        float32 [*target, 3], in the range of the image, or a little beyond with a filter that has negative weights.
    """
    shape = tf.shape(image)
    height, width, _ = tf.unstack(shape)
    # The last number is 1: the channels stay.
    stretched = tf.cast((*target, 3), tf.float32) / tf.cast(shape, tf.float32)

    def one_axis_at_a_time() -> tf.Tensor:
        down, right, one = tf.unstack(stretched)
        up, left = 0.0, 0.0
        if placing:
            (down, right), (up, left) = tf.unstack(placing.scale), tf.unstack(placing.translation)
        # A row of numbers is an image of one column with many channels.
        rows = _rows(tf.reshape(image, [1, height, 1, -1]), target[0], (down, one), up, filter_)
        turned = tf.transpose(tf.reshape(rows, [target[0], -1]))
        columns = _rows(tf.reshape(turned, [1, width, 1, -1]), target[1], (right, one), left, filter_)
        return tf.reshape(tf.transpose(tf.reshape(columns, [-1, target[0]])), [*target, 3])

    both_at_once = not_inlined(_both_axes, image, tf.stack(target), *(placing or (stretched, None)), filter_)
    return tf.cond(width <= MOST_NUMBERS // (3 * target[0]), one_axis_at_a_time, both_at_once)


def _rows(
    image: tf.Tensor,
    height: int | tf.Tensor,
    scale: tuple[tf.Tensor, tf.Tensor],
    translation: float | tf.Tensor,
    filter_: Filter,
) -> tf.Tensor:
    """Resize [1, h, 1, n] to float32 [1, height, 1, n]."""
    return tf.raw_ops.ScaleAndTranslate(
        images=image,
        size=tf.stack([height, 1]),
        scale=tf.stack(scale),
        translation=tf.stack([translation, 0.0]),
        kernel_type=filter_.kernel,
        antialias=filter_.antialias,
    )


def _both_axes(
    image: tf.Tensor, size: tf.Tensor, scale: tf.Tensor, translation: tf.Tensor | None, filter_: Filter
) -> tf.Tensor:
    """Resize both axes in one operation, which takes longer, and less memory for a wide image."""
    picture = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=size,
        scale=scale[:2],
        translation=tf.zeros(2) if translation is None else translation,
        kernel_type=filter_.kernel,
        antialias=filter_.antialias,
    )
    return picture[0]
