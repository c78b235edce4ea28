"""Resize a decoded image to the model's size: crop, resize, bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from .._preprocessing import Preprocessing
from . import exif, filtered
from .filtered import Size

# TensorFlow's names for the filters of ScaleAndTranslate. "keyscubic" is the cubic filter of Pillow (a = -0.5).
_KERNELS = {"bilinear": "triangle", "bicubic": "keyscubic", "lanczos3": "lanczos3"}
# These filters have negative lobes, so that results may leave the range of the input.
_OVERSHOOTING = ("bicubic", "lanczos3")
WHITE = 255.0
_LUMA_16_BITS = (19595, 38470, 7471)
# The most pixels of an image that is made gray before it is resized.
_MOST_LUMINANCE = 4_000_000


def upright(image: tf.Tensor, orientation: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Resize uint8 [h, w, 3], and turn it upright: float32 [height, width, 3] in [0, 1].

    Args:
        image: uint8 [h, w, 3], not empty.
        orientation: The EXIF orientation, int32 scalar, 1 to 8.
        preprocessing: As for `resized`.
    """
    target = turned = (preprocessing.height, preprocessing.width)
    if preprocessing.resize == "stretch" and preprocessing.interpolation != "nearest":
        # Turning the small image is cheap, and gives the same result.
        if target[0] != target[1]:
            swap = exif.swaps_axes(orientation)
            turned = (tf.where(swap, target[1], target[0]), tf.where(swap, target[0], target[1]))
        picture = exif.apply(resized(image, turned, preprocessing), orientation)
    else:
        # Places of crops, bars and nearest pixels are rounded, which depends on the direction.
        picture = resized(exif.apply(image, orientation), target, preprocessing)
    return tf.ensure_shape(picture, (*target, 3))


def resized(image: tf.Tensor, target: Size, preprocessing: Preprocessing) -> tf.Tensor:
    """Crop and resize one image, and scale it to [0, 1].

    Args:
        image: uint8 [h, w, 3].
        target: Height and width of the result, int or int32 scalars: the model's, or exchanged if the image is turned
            later.
        preprocessing: Resize, interpolation, antialias, crop fraction, colour of bars, and whether the model takes
            luminance. Luminance is rounded to whole numbers before the resize, as in libraries that load training
            images.

    Returns:
        float32 [*target, 3]: [0, 1] from black to white. Luminance is repeated three times.
    """
    plan = planned(luminance(image) if preprocessing.channels == "luminance" else image, target, preprocessing)
    if filters(preprocessing):
        kernel = filtered.Filter(_KERNELS[preprocessing.interpolation], preprocessing.antialias)
        picture = filtered.resized(plan.image, plan.inner, kernel, plan.placing)
    else:
        # The op takes uint8 directly: a float copy of a large photograph would take four times its memory.
        picture = tf.image.resize(plan.image, tf.stack(plan.inner), method=preprocessing.interpolation)
        picture = tf.cast(picture, tf.float32)
    if plan.bars is not None:
        picture = _with_bars(picture, plan.bars, tf.stack(target), preprocessing)
    if clips(preprocessing):
        picture = tf.clip_by_value(picture, 0.0, WHITE)
    return picture / WHITE


class Plan(NamedTuple):
    """The steps from an image to the model's size.

    Attributes:
        image: The image that is resized: cut, or with bars around it; uint8 or float32 [h, w, 3].
        inner: Height and width of the resized image.
        placing: Where the result lies in the image; None: it is the whole image.
        bars: Rows above and columns left of the resized image, int32 [2]; None: there are no bars.
    """

    image: tf.Tensor
    inner: Size
    placing: filtered.Placing | None = None
    bars: tf.Tensor | None = None


def planned(image: tf.Tensor, target: Size, preprocessing: Preprocessing) -> Plan:
    """Return how an upright image becomes the size `target`."""
    if preprocessing.resize != "crop" and preprocessing.crop_fraction < 1:
        image = _central_crop(image, preprocessing.crop_fraction)
    return _WAYS[preprocessing.resize](image, target, preprocessing)


def filters(preprocessing: Preprocessing) -> bool:
    """Tell whether ScaleAndTranslate resizes; otherwise another operation does."""
    kernel = preprocessing.interpolation in _KERNELS
    always = preprocessing.interpolation == "lanczos3" or preprocessing.resize == "crop"
    return kernel and (preprocessing.antialias or always)


def clips(preprocessing: Preprocessing) -> bool:
    """Tell whether results beyond black and white are cut off."""
    return preprocessing.interpolation in _OVERSHOOTING and _within_8_bits(preprocessing)


def luminance(image: tf.Tensor) -> tf.Tensor:
    """Make an image gray, from uint8 [h, w, 3] to the same.

    The weights are those of ITU-R BT.601 in 16 bits, rounded, as in Pillow's `convert("L")`. A large image is left
    unchanged: it would take 30 bytes for each pixel, and rounding hardly matters in the mean of many pixels. The
    adapter applies the weights later.
    """

    def gray() -> tf.Tensor:
        sum_ = tf.reduce_sum(tf.cast(image, tf.int32) * _LUMA_16_BITS, axis=-1, keepdims=True)
        levels = tf.cast(tf.bitwise.right_shift(sum_ + (1 << 15), 16), tf.uint8)
        return tf.repeat(levels, 3, axis=-1)

    return tf.cond(tf.size(image, tf.int64) <= 3 * _MOST_LUMINANCE, gray, lambda: image)


def _within_8_bits(preprocessing: Preprocessing) -> bool:
    """Tell whether results are clipped between black and white, as Pillow does, and TensorFlow and Keras do not."""
    of_pillow = preprocessing.antialias and not preprocessing.resize.endswith("_to_aspect_ratio")
    return of_pillow or preprocessing.dtype == "uint8"


def scaled_decoding_shows(preprocessing: Preprocessing) -> bool:
    """Tell whether an image that was scaled during decoding would look different.

    It would without antialiasing, which takes single pixels of the large image.
    """
    return preprocessing.interpolation == "nearest" or not (
        preprocessing.antialias or preprocessing.interpolation == "area"
    )


def bars_in_8_bits(preprocessing: Preprocessing) -> bool:
    """Tell whether bars can be added in uint8; in float32 they take four times the memory."""
    return all(float(value).is_integer() for value in preprocessing.pad_color)


def _stretch(image: tf.Tensor, target: Size, _: Preprocessing) -> Plan:
    return Plan(image, target)


def _shortest_side_then_crop(image: tf.Tensor, target: Size, preprocessing: Preprocessing) -> Plan:
    """Resize so that `target / crop_fraction` is just covered, and cut `target` out of the centre.

    Sizes and places are rounded like in torchvision's Resize and CenterCrop. Only the result is computed: all of an
    image of 1 x 1,000,000 pixels would take gigabytes.
    """
    size = tf.cast(tf.shape(image)[:2], tf.int64)
    wanted = tf.cast(tf.stack(target), tf.int64)
    cover = tf.cast(tf.math.floor(tf.cast(wanted, tf.float64) / preprocessing.crop_fraction), tf.int64)
    # The side that is covered exactly is the shorter one, compared with the target.
    by_height = size[1] * cover[0] >= size[0] * cover[1]
    whole = tf.where(
        by_height,
        tf.stack([cover[0], cover[0] * size[1] // size[0]]),
        tf.stack([cover[1] * size[0] // size[1], cover[1]]),
    )
    first = tf.round(tf.cast(whole - wanted, tf.float64) / 2)
    scale = tf.cast(whole, tf.float64) / tf.cast(size, tf.float64)
    if filters(preprocessing):
        return Plan(image, target, filtered.Placing(tf.cast(scale, tf.float32), tf.cast(-first, tf.float32)))
    # The area of the crop is cut out of the image in whole pixels.
    size = tf.shape(image)[:2]
    begin = tf.cast(tf.math.floor(first / scale), tf.int32)
    end = tf.cast(tf.math.ceil((first + tf.cast(tf.stack(target), tf.float64)) / scale), tf.int32)
    begin = tf.clip_by_value(begin, 0, size - 1)
    end = tf.clip_by_value(end, begin + 1, size)
    return Plan(image[begin[0] : end[0], begin[1] : end[1]], target)


def _crop_to_aspect_ratio(image: tf.Tensor, target: Size, _: Preprocessing) -> Plan:
    """Cut out the largest centre with the target's aspect ratio and resize it, with Keras' rounding."""
    size = tf.shape(image)[:2]
    kept = tf.clip_by_value(_of_aspect_ratio(size, target), 1, size)
    begin = (size - kept) // 2
    return Plan(image[begin[0] : begin[0] + kept[0], begin[1] : begin[1] + kept[1]], target)


def _pad(image: tf.Tensor, target: Size, _: Preprocessing) -> Plan:
    """Resize until the first side fits, and fill the rest, with the rounding of tf.image.resize_with_pad."""
    size = tf.cast(tf.shape(image)[:2], tf.float64)
    wanted = tf.stack(target)
    exact = size / tf.reduce_max(size / tf.cast(wanted, tf.float64))
    inner = tf.clip_by_value(tf.cast(tf.math.floor(exact), tf.int32), 1, wanted)
    bars = tf.cast(tf.math.floor((tf.cast(wanted, tf.float64) - exact) / 2), tf.int32)
    return Plan(image, (inner[0], inner[1]), bars=tf.clip_by_value(bars, 0, wanted - inner))


def _pad_to_aspect_ratio(image: tf.Tensor, target: Size, preprocessing: Preprocessing) -> Plan:
    """Add bars until the image has the target's aspect ratio, and resize it, with Keras' rounding."""
    size = tf.shape(image)[:2]
    # Keras adds bars of the same size on both sides, and drops an odd rest.
    bars = (size_with_bars(size, target) - size) // 2
    if not bars_in_8_bits(preprocessing):
        image = tf.cast(image, tf.float32)
    return Plan(_with_bars(image, bars, size + 2 * bars, preprocessing), target)


def size_with_bars(size: tf.Tensor, target: Size) -> tf.Tensor:
    """Return the smallest size with the target's aspect ratio that an image of this size fits into: int32 [2]."""
    return tf.maximum(size, _of_aspect_ratio(size, target))


def _of_aspect_ratio(size: tf.Tensor, target: Size) -> tf.Tensor:
    """Return the height for the image's width, and the width for its height, by the target's ratio: int32 [2]."""
    height, width = (tf.cast(side, tf.float32) for side in tf.unstack(size))
    wanted_height, wanted_width = (tf.cast(side, tf.float32) for side in target)
    return tf.cast(tf.stack([width * wanted_height / wanted_width, height * wanted_width / wanted_height]), tf.int32)


def _with_bars(picture: tf.Tensor, begin: tf.Tensor, outer: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    end = outer - begin - tf.shape(picture)[:2]
    bars = [[begin[0], end[0]], [begin[1], end[1]], [0, 0]]
    if not any(preprocessing.pad_color):
        return tf.pad(picture, bars)
    color = tf.constant(preprocessing.pad_color, picture.dtype)
    # In uint8, values below 0 wrap around, and the addition restores them.
    return tf.pad(picture - color, bars) + color


def _central_crop(image: tf.Tensor, fraction: float) -> tf.Tensor:
    """Return the centre of [h, w, c], at least one pixel, with the margins of `tf.image.central_crop`."""
    shape = tf.shape(image)[:2]
    margin = tf.cast(tf.cast(shape, tf.float64) * ((1 - fraction) / 2), tf.int32)
    return image[margin[0] : shape[0] - margin[0], margin[1] : shape[1] - margin[1]]


_WAYS: dict[str, Callable[[tf.Tensor, Size, Preprocessing], Plan]] = {
    "stretch": _stretch,
    "crop": _shortest_side_then_crop,
    "crop_to_aspect_ratio": _crop_to_aspect_ratio,
    "pad": _pad,
    "pad_to_aspect_ratio": _pad_to_aspect_ratio,
}
