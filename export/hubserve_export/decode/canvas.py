"""Resize on the accelerator: decoded images go there as they are, on a common canvas, and two matrix products resize.

A resize along one axis multiplies the image by a matrix of weights. Each image of a batch has its own two matrices,
because each has its own size, with zeros for the rest of the canvas. `weights.py` makes them.

The canvas is as large as the largest image of the batch, rounded up, and at most `LONGEST` on each side. A larger image
is resized on the CPU as usual, and its result, rounded to 8 bits, takes its place on the canvas.
"""

from __future__ import annotations

import tensorflow as tf

from .._preprocessing import Preprocessing
from . import exif, resize, weights
from ._not_inlined import not_inlined

# The most rows, and columns, of an image that the accelerator resizes.
LONGEST = 1024
# Sides are rounded up to a multiple, so that few shapes occur.
STEP = 128

# One image, and how each of its axes is resized.
SPECS = (tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([2, weights.AXIS], tf.float32))


def filled(image: tf.Tensor, orientation: tf.Tensor, preprocessing: Preprocessing) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what goes to the accelerator for one image.

    Args:
        image: uint8 [h, w, 3], not empty.
        orientation: The EXIF orientation, int32 scalar, 1 to 8.
        preprocessing: Crop, resize, interpolation and size.

    Returns:
        The image upright and cut, uint8 [H, W, 3], with zeros up to the next step, and how its two axes are resized,
        float32 [2, AXIS].
    """
    target = (preprocessing.height, preprocessing.width)

    def as_it_is() -> tuple[tf.Tensor, tf.Tensor]:
        upright = exif.apply(image, orientation)
        gray = resize.luminance(upright) if preprocessing.channels == "luminance" else upright
        plan = resize.planned(gray, target, preprocessing)
        return plan.image, _axes(plan)

    fits = tf.reduce_all(_sides(image, preprocessing) <= LONGEST)
    picture, axes = tf.cond(fits, as_it_is, not_inlined(_resized_here, image, orientation, preprocessing))
    missing = -tf.shape(picture)[:2] % STEP
    picture = tf.pad(picture, [[0, missing[0]], [0, missing[1]], [0, 0]])
    return tf.ensure_shape(picture, SPECS[0].shape), tf.ensure_shape(axes, SPECS[1].shape)


def resized(images: tf.Tensor, axes: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Resize a batch with two matrix products. No device is set, so that TensorFlow places them on the model's.

    Args:
        images: uint8 [N, H, W, 3].
        axes: How the axes of each image are resized, float32 [N, 2, AXIS]; zeros for an image without pixels.
        preprocessing: Size, interpolation, antialias, and colour of bars.

    Returns:
        float32 [N, height, width, 3] in [0, 1].
    """
    height, width = preprocessing.height, preprocessing.width
    shape = tf.shape(images)
    down = weights.matrix(axes[:, 0], height, shape[1], preprocessing)
    right = weights.matrix(axes[:, 1], width, shape[2], preprocessing)
    # Whole rows of the image are added up to rows of the result, then whole columns of that to its columns.
    rows = down @ tf.reshape(tf.cast(images, tf.float32), [shape[0], shape[1], shape[2] * 3])
    turned = tf.transpose(tf.reshape(rows, [shape[0], height, shape[2], 3]), [0, 2, 1, 3])
    columns = right @ tf.reshape(turned, [shape[0], shape[2], height * 3])
    pictures = tf.transpose(tf.reshape(columns, [shape[0], width, height, 3]), [0, 2, 1, 3])
    if preprocessing.resize == "pad" and any(preprocessing.pad_color):
        # The weights of a place in the bars are 0.
        covered = tf.reduce_sum(down, -1)[:, :, None, None] * tf.reduce_sum(right, -1)[:, None, :, None]
        pictures += (1 - covered) * tf.constant(preprocessing.pad_color, tf.float32)
    if resize.clips(preprocessing):
        pictures = tf.clip_by_value(pictures, 0.0, resize.WHITE)
    return tf.ensure_shape(pictures / resize.WHITE, [None, height, width, 3])


def _sides(image: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Return the sides of the image with its bars, in any order: int32 [2]."""
    size = tf.shape(image)[:2]
    if preprocessing.resize != "pad_to_aspect_ratio":
        return size
    # The image may still be turned.
    target = (preprocessing.height, preprocessing.width)
    return tf.maximum(resize.size_with_bars(size, target), resize.size_with_bars(size[::-1], target)[::-1])


def _axes(plan: resize.Plan) -> tf.Tensor:
    """Return the numbers for `weights.matrix`: float32 [2, AXIS]."""
    length = tf.cast(tf.shape(plan.image)[:2], tf.float32)
    if plan.placing is not None:
        scale, moved = plan.placing
        return weights.axes(length, 1.0 / scale, moved)
    inner = tf.cast(tf.stack(plan.inner), tf.float32)
    moved = tf.zeros(2) if plan.bars is None else tf.cast(plan.bars, tf.float32)
    return weights.axes(length, length / inner, moved)


def _resized_here(
    image: tf.Tensor, orientation: tf.Tensor, preprocessing: Preprocessing
) -> tuple[tf.Tensor, tf.Tensor]:
    picture = resize.upright(image, orientation, preprocessing)
    levels = tf.cast(tf.clip_by_value(tf.round(picture * resize.WHITE), 0.0, resize.WHITE), tf.uint8)
    length = tf.constant([preprocessing.height, preprocessing.width], tf.float32)
    return levels, weights.axes(length, tf.ones(2), tf.zeros(2))
