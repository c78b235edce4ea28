"""Windows bitmaps: 24 and 32 bits, and palettes of 8.

Layout (little-endian): a file header of 14 bytes, then the information header, whose first field is its own size: width
at 18, height at 22 (negative for rows from the top), bits per pixel at 28, compression at 30, colours in the palette at
46; the palette follows it, four bytes a colour (blue, green, red, 0). TensorFlow reads the pixels but looks at neither
palette nor compression, and would answer with wrong colours: what it does not read is refused here.
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes

_FILE_HEADER = 14
_INFO_HEADER = 40
_UNCOMPRESSED = 0
_COLOURS = 256


def size(head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width from the information header."""
    height = _bytes.little_endian(head[22:26])
    return tf.minimum(height, 2**32 - height), _bytes.little_endian(head[18:22])


def decode(data: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Decodes to uint8 [h, w, 3]; a fourth channel of 32 bits is ignored, as most readers do."""
    header = _bytes.little_endian(head[14:18])
    bits = _bytes.little_endian(head[28:30])
    compression = _bytes.little_endian(head[30:34])
    readable = (header >= _INFO_HEADER) & (compression == _UNCOMPRESSED) & tf.reduce_any(bits == [8, 24, 32])
    with tf.control_dependencies([_bytes.require(readable, "BMP that is compressed, or not of 8, 24 or 32 bits")]):
        pixels = tf.io.decode_bmp(data, channels=3)
    return tf.cond(
        bits == 8,
        lambda: tf.gather(_palette(data, header, head), tf.cast(pixels[..., 0], tf.int32)),
        lambda: pixels,
    )


def _palette(data: tf.Tensor, header: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """The palette as uint8 [256, 3], red first; entries that the file leaves out are black."""
    used = _bytes.little_endian(head[46:50])
    count = tf.where((used == 0) | (used > _COLOURS), tf.constant(_COLOURS, tf.int64), used)
    table = tf.strings.substr(data, _FILE_HEADER + header, count * 4)
    entries = tf.reshape(tf.io.decode_raw(table, tf.uint8, fixed_length=4 * _COLOURS), [_COLOURS, 4])
    return tf.reverse(entries[:, :3], [1])
