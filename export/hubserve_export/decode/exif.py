"""EXIF orientation of a JPEG: which of the eight ways the camera was held.

A JPEG is a chain of segments (ISO 10918-1, B.1.1): 0xFF, a marker, a 16-bit big-endian length that counts itself, the
payload. EXIF (CIPA DC-008, 4.5) is an APP1 segment whose payload is "Exif\\0\\0" and a TIFF file: byte order, the
offset of a directory, its number of entries, and entries of 12 bytes each. The orientation is the entry with tag
0x0112, type 3 (16-bit), count 1.

Cameras and editors write all kinds of broken EXIF, and a viewer shows those photographs as they lie: so does this.
Nothing here fails; what cannot be read is orientation 1, "as it lies".
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes

_MARKER = 0xFF
_APP1 = 0xE1
_START_OF_SCAN = 0xDA
_ORIENTATION = 0x0112
_SHORT = 3
# Applications write a handful of segments before the picture; a file of nothing but tiny segments must not keep a
# server busy.
_MAX_SEGMENTS = 64
_MAX_ENTRIES = 512


def orientation(data: tf.Tensor) -> tf.Tensor:
    """The EXIF orientation of the JPEG `data`: int32 scalar, 1 to 8, 1 where there is none or it makes no sense."""

    def segment(position: tf.Tensor) -> tf.Tensor:
        """Marker, length and the payload's first six bytes: int64 [10], zeros beyond the end."""
        inside = tf.minimum(position, tf.cast(tf.strings.length(data), tf.int64))
        piece = tf.strings.substr(data, inside, tf.constant(10, tf.int64))
        return tf.ensure_shape(tf.cast(tf.io.decode_raw(piece, tf.uint8, fixed_length=10), tf.int64), [10])

    def is_exif(found: tf.Tensor) -> tf.Tensor:
        return (found[1] == _APP1) & tf.reduce_all(found[4:] == list(b"Exif\0\0"))

    def searching(_: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        return (found[0] == _MARKER) & (found[1] != _START_OF_SCAN) & ~is_exif(found)

    def next_segment(position: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        position = position + 2 + tf.maximum(_bytes.big_endian(found[2:4]), 2)
        return position, segment(position)

    start = tf.constant(2, tf.int64)
    position, found = tf.while_loop(searching, next_segment, (start, segment(start)), maximum_iterations=_MAX_SEGMENTS)
    return tf.cond(is_exif(found), lambda: _from_tiff(data, position + 10), lambda: tf.constant(1, tf.int32))


def _from_tiff(data: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Reads the orientation out of the TIFF file at `start`. Reads past the end give zeros, which match no tag."""
    room = 8 + 2 + 12 * _MAX_ENTRIES
    piece = tf.io.decode_raw(tf.strings.substr(data, start, tf.constant(65535, tf.int64)), tf.uint8)
    length = tf.size(piece, out_type=tf.int64)
    tiff = tf.pad(tf.cast(piece, tf.int64), [[0, room]])
    little = tiff[0] == ord("I")

    def number(octets: tf.Tensor) -> tf.Tensor:
        """Joins the last axis, two or four bytes, to one number in the file's byte order."""
        return tf.where(little, _bytes.little_endian(octets), _bytes.big_endian(octets))

    directory = tf.minimum(number(tf.reshape(tiff[4:8], [4])), length)
    count = tf.minimum(number(tf.reshape(tiff[directory : directory + 2], [2])), _MAX_ENTRIES)
    entries = tf.reshape(tiff[directory + 2 : directory + 2 + 12 * _MAX_ENTRIES], [_MAX_ENTRIES, 12])
    values = number(entries[:, 8:10])
    fits = (
        (tf.range(_MAX_ENTRIES, dtype=tf.int64) < count)
        & (number(entries[:, 0:2]) == _ORIENTATION)
        & (number(entries[:, 2:4]) == _SHORT)
        & (number(entries[:, 4:8]) == 1)
        & (values >= 1)
        & (values <= 8)
    )
    # The 1 at the end is the answer when no entry fits.
    candidates = tf.concat([tf.boolean_mask(values, fits), [1]], axis=0)
    return tf.cast(candidates[0], tf.int32)


def apply(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors an image [h, w, c] as the orientation asks, like Pillow's `ImageOps.exif_transpose`."""

    def turned(transpose: bool, flip: list[int]) -> tf.Tensor:
        result = tf.transpose(image, [1, 0, 2]) if transpose else image
        return tf.reverse(result, flip) if flip else result

    # In the order of the orientations 1 to 8.
    ways = [
        (False, []),
        (False, [1]),
        (False, [0, 1]),
        (False, [0]),
        (True, []),
        (True, [1]),
        (True, [0, 1]),
        (True, [0]),
    ]
    return tf.switch_case(orientation - 1, [lambda way=way: turned(*way) for way in ways])


def swaps_axes(orientation: tf.Tensor) -> tf.Tensor:
    """Whether the orientation turns the picture on its side, so that width and height change places: bool scalar."""
    return orientation >= 5
