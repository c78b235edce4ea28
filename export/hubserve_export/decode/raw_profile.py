"""Read EXIF stored as text, as ImageMagick and exiv2 write it into PNG files.

The text has the keyword "Raw profile type exif". It begins with an empty line, a line with the name of the profile and
a line with its length; then the bytes follow as hexadecimal digits, on lines of 72. In a zTXt chunk it is compressed
with zlib.
"""

from __future__ import annotations

import tensorflow as tf

KEYWORD = b"Raw profile type exif\0"

_LINES_BEFORE = 3
# A compressed text may become a thousand times larger, so only its beginning is read: the orientation is in the first
# directory, which comes first.
_PACKED = 8192
_DIGITS = 2 * 8192
_VALUES = tuple(int(chr(octet), 16) if chr(octet) in "0123456789abcdefABCDEF" else -1 for octet in range(256))
_OCTETS = tuple(bytes([octet]) for octet in range(256))


def read(text: tf.Tensor) -> tf.Tensor:
    """Read the EXIF from the payload of a tEXt or zTXt chunk, string scalar: string scalar, empty without digits."""
    packed = tf.strings.substr(text, len(KEYWORD), 1) == b"\0"
    start = tf.constant(len(KEYWORD))
    plain = tf.cond(
        packed,
        # A truncated end is left out, without an error.
        lambda: tf.io.decode_compressed(tf.strings.substr(text, start + 1, _PACKED), "ZLIB"),
        lambda: tf.strings.substr(text, start, _DIGITS * 2),
    )
    lines = tf.strings.split(tf.strings.substr(plain, 0, _DIGITS * 2), "\n")[_LINES_BEFORE:]
    digits = tf.strings.substr(tf.strings.reduce_join(lines), 0, _DIGITS)
    values = tf.gather(_VALUES, tf.cast(tf.io.decode_raw(digits, tf.uint8), tf.int32))
    pairs = tf.reshape(values[: tf.size(values) // 2 * 2], [-1, 2])
    octets = tf.where(tf.reduce_all(pairs >= 0, axis=1), pairs[:, 0] * 16 + pairs[:, 1], 0)
    return tf.strings.reduce_join(tf.gather(_OCTETS, octets))
