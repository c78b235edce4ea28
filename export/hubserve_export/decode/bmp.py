"""Decode Windows bitmaps: 24 and 32 bits, and palettes of 8.

Layout (little-endian): a file header of 14 bytes, then the information header, whose first field is its own size: width
at 18, height at 22 (negative for rows from the top), bits per pixel at 28, compression at 30, colours in the palette at
46, and if there are colour masks, those of red, green, blue and alpha from 54. The palette follows the header, with
four bytes for each colour (blue, green, red, 0). TensorFlow reads the pixels but ignores palette and compression, and
would answer with wrong colours: this module refuses what TensorFlow does not support.
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes, alpha, cost

_FILE_HEADER = 14
_INFO_HEADER = 40
# The shortest header with a mask for alpha.
_ALPHA_HEADER = 56
_UNCOMPRESSED = 0
_MASKS = 3
# Blue, green, red and then alpha or nothing: the order that TensorFlow reads.
_COLOUR_MASKS = (0xFF0000, 0xFF00, 0xFF)
_ALPHA_MASK = 0xFF000000
_COLOURS = 256
# The most that a pixel costs: see `cost.py`. A BMP file contains all its pixels, so that a small file is never costly.
_OCTETS = 10.5
_NANOSECONDS = 40.0


def size(head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return height and width from the information header."""
    header, height, width = _bytes.little_endian(head, (14, 4), (22, 4), (18, 4))
    with tf.control_dependencies([_bytes.require(header >= _INFO_HEADER, "BMP of OS/2, or of no known kind")]):
        return tf.minimum(height, 2**32 - height), tf.identity(width)


def decode(data: tf.Tensor, head: tf.Tensor, limits: cost.Limits) -> cost.Picture:
    """Decode; the fourth byte of 32 bits is alpha if a mask says so, and is ignored otherwise."""
    header, bits, compression, used, *colour_masks, alpha_mask = _bytes.little_endian(
        head, (14, 4), (28, 2), (30, 4), (46, 4), (54, 4), (58, 4), (62, 4), (66, 4)
    )
    has_alpha = (header >= _ALPHA_HEADER) & (alpha_mask != 0)
    masked = (
        (compression == _MASKS)
        & (bits == 32)
        & tf.reduce_all(tf.stack(colour_masks) == _COLOUR_MASKS)
        & (~has_alpha | (alpha_mask == _ALPHA_MASK))
    )
    plain = (compression == _UNCOMPRESSED) & tf.reduce_any(bits == [8, 24, 32])
    with tf.control_dependencies(
        [_bytes.require(plain | masked, "BMP that is compressed, or not of 8, 24 or 32 bits")]
    ):
        kind = tf.where(bits == 8, 1, tf.where(masked & has_alpha, 2, 0))
    height, width = size(head)
    refused = limits.exceeded(height, width, _OCTETS, _NANOSECONDS)
    contents = _without_the_rest(data, head, height, width, bits)
    image = tf.switch_case(
        tf.where(refused, 3, kind),
        [
            lambda: tf.io.decode_bmp(contents, channels=3),
            lambda: _coloured(tf.io.decode_bmp(contents, channels=3), _palette(data, header, used)),
            lambda: alpha.over_white(tf.io.decode_bmp(contents, channels=4)),
            cost.black,
        ],
    )
    return cost.Picture(image, cost.no_exif(), refused)


def _without_the_rest(
    data: tf.Tensor, head: tf.Tensor, height: tf.Tensor, width: tf.Tensor, bits: tf.Tensor
) -> tf.Tensor:
    """Return the file up to the end of its pixels: some editors append bytes, which TensorFlow refuses."""
    (start,) = _bytes.little_endian(head, (10, 4))
    # Each row is padded to a multiple of four bytes.
    end = start + (width * bits + 31) // 32 * 4 * height
    length = tf.cast(tf.strings.length(data), tf.int64)
    return tf.strings.substr(data, tf.constant(0, tf.int64), tf.clip_by_value(end, 0, length))


def _coloured(pixels: tf.Tensor, palette: tf.Tensor) -> tf.Tensor:
    """Apply the palette to its indices, which TensorFlow returns three times."""
    return tf.gather(palette, tf.cast(pixels[..., 0], tf.int32))


def _palette(data: tf.Tensor, header: tf.Tensor, used: tf.Tensor) -> tf.Tensor:
    """Return the palette as uint8 [256, 3], red first; missing entries are black."""
    count = tf.where((used == 0) | (used > _COLOURS), tf.constant(_COLOURS, tf.int64), used)
    table = tf.strings.substr(data, _FILE_HEADER + header, count * 4)
    entries = tf.reshape(tf.io.decode_raw(table, tf.uint8, fixed_length=4 * _COLOURS), [_COLOURS, 4])
    return tf.reverse(entries[:, :3], [1])
