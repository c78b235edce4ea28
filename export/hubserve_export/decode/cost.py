"""Limit the cost of one image: pixels, memory and CPU time for decoding it, all known from its header.

A file of a kilobyte can claim millions of pixels, and the cost of each pixel depends on the coding. Each format defines
the most that a pixel costs (measured by `make fuzz`, which attacks these numbers). An image above one of the limits
gets status 2 before it is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from .._preprocessing import DEFAULT_MAX_PIXELS, Preprocessing
from . import resize

# The limits for each allowed pixel: 285 MiB and 5 seconds with the default.
_OCTETS = 5.75
_NANOSECONDS = 96.0
# The resize first makes the rows of the model's input, each as wide as the image: three float32 for a pixel, and some
# more.
_RESIZE_OCTETS = 14.0
# Adding bars to an image at full size makes copies of it: in 8 bits, or in float32 if a colour needs it.
_BARS = "pad_to_aspect_ratio"
_BAR_OCTETS = 9.0
_FLOAT_BAR_OCTETS = 36.0
# A header can claim sides of up to 2**32, and the product of two sides must not overflow.
_LONGEST = 2**31


class Picture(NamedTuple):
    """The result of decoding a file.

    Attributes:
        image: The pixels, uint8 [h, w, 3]; one black pixel if the image is refused.
        exif: The EXIF, string scalar; empty if there is none.
        refused: Whether the image costs more than allowed: bool scalar.
    """

    image: tf.Tensor
    exif: tf.Tensor
    refused: tf.Tensor


@dataclass(frozen=True)
class Limits:
    """The limits of one image: `Limits(preprocessing).exceeded(height, width, 3.0, 25.0)`."""

    preprocessing: Preprocessing

    @property
    def pixels(self) -> int:
        """The most pixels that an image may have."""
        return self.preprocessing.max_pixels

    def counted(self, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """Return the number of pixels that count for an image of this size, int64 scalars: int64 scalar.

        The resize first makes the model's number of rows, each as long as the image's. One row of a million pixels
        would take gigabytes, so that an image that is lower than the model's input counts as if it had the input's
        height. If bars are added at full size, they count, too.
        """
        height, width = self._with_bars(tf.minimum(height, _LONGEST), tf.minimum(width, _LONGEST))
        return tf.maximum(height, self.preprocessing.height) * width

    def exceeded(
        self, height: tf.Tensor, width: tf.Tensor, octets: float | tf.Tensor, nanoseconds: float | tf.Tensor
    ) -> tf.Tensor:
        """Tell whether an image of this size has too many pixels, or too many for the cost of each pixel.

        The limits of memory and time belong to the default number of pixels. A higher number allows more of both. A
        lower one does not allow less, so that every image with an allowed number of pixels is answered.

        Args:
            height: Rows, int64 scalar.
            width: Columns, int64 scalar.
            octets: Bytes of memory for each pixel during decoding, float or float32 scalar.
            nanoseconds: CPU time for each pixel, float or float32 scalar.

        Returns:
            bool scalar.
        """
        allowed = max(self.pixels, DEFAULT_MAX_PIXELS)
        columns = tf.cast(tf.minimum(width, _LONGEST), tf.float32)
        pixels = tf.cast(tf.minimum(height, _LONGEST), tf.float32) * columns
        memory = pixels * tf.maximum(octets, self._octets_afterwards())
        # An image may be turned before it is resized.
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
        """Return the bytes for each pixel of the decoded image and its copies: cropped, turned."""
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
    """Return one black pixel, uint8 [1, 1, 3], instead of an image that is not decoded."""
    return tf.zeros((1, 1, 3), tf.uint8)


def no_exif() -> tf.Tensor:
    """Return the empty string, scalar."""
    return tf.constant(b"")
