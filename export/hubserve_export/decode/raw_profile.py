"""EXIF as text, as ImageMagick and exiv2 put it into PNG before there was a chunk for it.

The text is called "Raw profile type exif". It begins with an empty line, a line with the name of the profile and one
with its length; then the bytes come as hexadecimal digits, on lines of 72. In a chunk zTXt it is packed with zlib.
"""

from __future__ import annotations

import tensorflow as tf

KEYWORD = b"Raw profile type exif\0"

_LINES_BEFORE = 3
# A packed text may unpack to a thousand times its size, so only the beginning is read: the orientation is in the first
# directory, which stands first.
_PACKED = 8192
_DIGITS = 2 * 8192
_VALUES = tuple(int(chr(octet), 16) if chr(octet) in "0123456789abcdefABCDEF" else -1 for octet in range(256))
_OCTETS = tuple(bytes([octet]) for octet in range(256))


def read(text: tf.Tensor) -> tf.Tensor:
    """Read the EXIF out of the payload of a chunk tEXt or zTXt, string scalar: string scalar, empty for no digits."""
    packed = tf.strings.substr(text, len(KEYWORD), 1) == b"\0"
    start = tf.constant(len(KEYWORD))
    plain = tf.cond(
        packed,
        # What is cut off at the end is left out, without an error.
        lambda: tf.io.decode_compressed(tf.strings.substr(text, start + 1, _PACKED), "ZLIB"),
        lambda: tf.strings.substr(text, start, _DIGITS * 2),
    )
    lines = tf.strings.split(tf.strings.substr(plain, 0, _DIGITS * 2), "\n")[_LINES_BEFORE:]
    digits = tf.strings.substr(tf.strings.reduce_join(lines), 0, _DIGITS)
    values = tf.gather(_VALUES, tf.cast(tf.io.decode_raw(digits, tf.uint8), tf.int32))
    pairs = tf.reshape(values[: tf.size(values) // 2 * 2], [-1, 2])
    octets = tf.where(tf.reduce_all(pairs >= 0, axis=1), pairs[:, 0] * 16 + pairs[:, 1], 0)
    return tf.strings.reduce_join(tf.gather(_OCTETS, octets))
