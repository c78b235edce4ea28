"""JPEG: every mode libjpeg reads, at the accuracy Pillow has, scaled while decoding when the photograph is large."""

from __future__ import annotations

import tensorflow as tf

# libjpeg can leave out high frequencies while decoding, which makes a large photograph cheap: it comes out at 1/2, 1/4
# or 1/8 of its size.
_RATIOS = (1, 2, 4, 8)
# Below this, full decoding is cheap, and exact.
_LARGE_PIXELS = 1_000_000


def size(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width from the frame header, before any EXIF rotation."""
    shape = tf.cast(tf.io.extract_jpeg_shape(data), tf.int64)
    return shape[0], shape[1]


def decode(data: tf.Tensor, needed: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Decodes to uint8 [h, w, 3], a large photograph at the smallest of libjpeg's scales not below `needed`.

    Args:
        data: string scalar.
        needed: height and width, int64 scalars, that a scaled result must have at least.
    """
    height, width = size(data)
    large = height * width >= _LARGE_PIXELS
    fits = [large & (height >= needed[0] * ratio) & (width >= needed[1] * ratio) for ratio in _RATIOS[1:]]
    scale = tf.add_n([tf.cast(fit, tf.int32) for fit in fits])
    return tf.switch_case(scale, [lambda ratio=ratio: _decode_at(data, ratio) for ratio in _RATIOS])


def _decode_at(data: tf.Tensor, ratio: int) -> tf.Tensor:
    # TensorFlow's default DCT is the fast one, which differs from Pillow in two pixels out of three; the accurate one
    # is Pillow's, bit for bit.
    return tf.io.decode_jpeg(data, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")
