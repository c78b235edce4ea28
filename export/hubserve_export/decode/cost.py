"""The cost that one image may have: pixels, memory and CPU time of decoding it, all known from its header.

A file of a kilobyte can claim millions of pixels, and how much each of them costs depends on how it is coded. Each
format tells what a pixel costs it at most (measured by `make fuzz`, which attacks these numbers), and an image above
one of the limits is answered with status 2 before anything of it is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from .._preprocessing import DEFAULT_MAX_PIXELS, Preprocessing
from . import resize

# For each pixel that is allowed: 285 MiB and 5 seconds with the default.
_OCTETS = 5.75
_NANOSECONDS = 96.0
# The resize first makes the rows of the model's input, each as wide as the image: three float32 a pixel, and some more.
_RESIZE_OCTETS = 14.0
# Bars that are added to the image as it is come with copies of it: in 8 bits, or in float32 where a colour needs them.
_BARS = "pad_to_aspect_ratio"
_BAR_OCTETS = 9.0
_FLOAT_BAR_OCTETS = 36.0
# A header can claim sides of up to 2**32, and the product of two must not overflow.
_LONGEST = 2**31


class Picture(NamedTuple):
    """Hold what a format makes of a file.

    Attributes:
        image: The pixels, uint8 [h, w, 3]; one black pixel where the image is refused.
        exif: The EXIF, string scalar; empty where there is none.
        refused: Whether the image costs more than is allowed: bool scalar.
    """

    image: tf.Tensor
    exif: tf.Tensor
    refused: tf.Tensor


@dataclass(frozen=True)
class Limits:
    """Hold what one image may cost: `Limits(preprocessing).exceeded(height, width, 3.0, 25.0)`."""

    preprocessing: Preprocessing

    @property
    def pixels(self) -> int:
        """Pixels above which an image is refused."""
        return self.preprocessing.max_pixels

    def counted(self, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """Return the pixels that an image of this size, int64 scalars, counts for: int64 scalar.

        The resize first brings the rows to the model's, each still as long as it was. One row of a million pixels would
        take gigabytes, so an image that is lower than that counts as if it were as high. Bars count as well, where they
        are added to the image as it is.
        """
        height, width = self._with_bars(tf.minimum(height, _LONGEST), tf.minimum(width, _LONGEST))
        return tf.maximum(height, self.preprocessing.height) * width

    def exceeded(
        self, height: tf.Tensor, width: tf.Tensor, octets: float | tf.Tensor, nanoseconds: float | tf.Tensor
    ) -> tf.Tensor:
        """Tell whether an image of this size has too many pixels, or too many for what each of them costs.

        The limits of memory and time belong to the default number of pixels. More pixels allow more of both; fewer do
        not allow less, so that any image of as many pixels is answered.

        Args:
            height: Rows, int64 scalar.
            width: Columns, int64 scalar.
            octets: Bytes of memory for each pixel while it is decoded, float or float32 scalar.
            nanoseconds: CPU time for each pixel, float or float32 scalar.

        Returns:
            bool scalar.
        """
        allowed = max(self.pixels, DEFAULT_MAX_PIXELS)
        columns = tf.cast(tf.minimum(width, _LONGEST), tf.float32)
        pixels = tf.cast(tf.minimum(height, _LONGEST), tf.float32) * columns
        memory = pixels * tf.maximum(octets, self._octets_afterwards())
        # An image may be turned on its side before it is resized.
        memory += columns * (_RESIZE_OCTETS * max(self.preprocessing.height, self.preprocessing.width))
        if self.preprocessing.resize == _BARS:
            each = _BAR_OCTETS if resize.bars_in_8_bits(self.preprocessing) else _FLOAT_BAR_OCTETS
            memory += tf.cast(self.counted(height, width), tf.float32) * each
        return (
            (self.counted(height, width) > self.pixels)
            | (memory > _OCTETS * allowed)
            | (pixels * nanoseconds > _NANOSECONDS * allowed)
        )

    def _octets_afterwards(self) -> float:
        """Return bytes for each pixel of the decoded image and of its copies: cut out, turned."""
        cut = self.preprocessing.crop_fraction < 1 or self.preprocessing.resize == "crop_to_aspect_ratio"
        turned = self.preprocessing.resize != "stretch" or self.preprocessing.interpolation == "nearest"
        return 3.0 * (1 + cut + 2 * turned)

    def _with_bars(self, height: tf.Tensor, width: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if self.preprocessing.resize != _BARS:
            return height, width
        short, long = sorted((self.preprocessing.height, self.preprocessing.width))
        longest = tf.maximum(height, width)
        return longest, tf.minimum(longest * long // short, _LONGEST) if short < long else longest


def black() -> tf.Tensor:
    """Return one black pixel, uint8 [1, 1, 3], in place of an image that is not decoded."""
    return tf.zeros((1, 1, 3), tf.uint8)


def no_exif() -> tf.Tensor:
    """Return the empty string, scalar."""
    return tf.constant(b"")
