"""Windows bitmaps: 24 and 32 bits, and palettes of 8.

Layout (little-endian): a file header of 14 bytes, then the information header, whose first field is its own size:
width at 18, height at 22 (negative for rows from the top), bits per pixel at 28, compression at 30, colours in the
palette at 46; the palette follows it, four bytes a colour (blue, green, red, 0). TensorFlow reads the pixels but looks
at neither palette nor compression, and would answer with wrong colours: what it does not read is refused here.
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes

_FILE_HEADER = 14
_INFO_HEADER = 40
_UNCOMPRESSED = 0


def size(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width from the information header."""
    height = _bytes.little_endian(data, 22, 4)
    return tf.where(height >= 2**31, 2**32 - height, height), _bytes.little_endian(data, 18, 4)


def decode(data: tf.Tensor) -> tf.Tensor:
    """Decodes to uint8 [h, w, 3]; a fourth channel of 32 bits is ignored, as most readers do."""
    header = _bytes.little_endian(data, _FILE_HEADER, 4)
    bits = _bytes.little_endian(data, 28, 2)
    compression = _bytes.little_endian(data, 30, 4)
    readable = (header >= _INFO_HEADER) & (compression == _UNCOMPRESSED) & ((bits == 8) | (bits == 24) | (bits == 32))
    with tf.control_dependencies([_bytes.require(readable, "BMP that is compressed, or not of 8, 24 or 32 bits")]):
        pixels = tf.io.decode_bmp(data, channels=3)
    return tf.cond(
        bits == 8, lambda: tf.gather(_palette(data, header), tf.cast(pixels[..., 0], tf.int32)), lambda: pixels
    )


def _palette(data: tf.Tensor, header: tf.Tensor) -> tf.Tensor:
    """The palette as uint8 [256, 3], red first; entries that the file leaves out are black."""
    used = _bytes.little_endian(data, 46, 4)
    count = tf.where((used == 0) | (used > 256), tf.constant(256, tf.int64), used)
    entries = tf.reshape(_bytes.tail(data, _FILE_HEADER + header, count * 4), [-1, 4])
    colours = tf.cast(tf.reverse(entries[:, :3], [1]), tf.uint8)
    return tf.pad(colours, [[0, 256 - tf.shape(colours)[0]], [0, 0]])
