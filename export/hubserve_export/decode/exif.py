"""Read and apply EXIF orientation, one of eight.

EXIF (CIPA DC-008, 4.5) is a TIFF file: byte order, the offset of a directory, its number of entries, and entries of 12
bytes each. The orientation is the entry with tag 0x0112, type 3 (16-bit), count 1. JPEG, PNG and WebP have a chunk for
EXIF; some writers put the six bytes "Exif\\0\\0" before it, which only JPEG requires.

Cameras and editors write all kinds of broken EXIF, and viewers show those photographs unturned. So this module never
fails: if the orientation cannot be read, it is 1, "not turned".
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes
from ._not_inlined import not_inlined

PREFIX = b"Exif\0\0"

_ORIENTATION = 0x0112
_SHORT = 3
_MAX_ENTRIES = 512


def orientation(exif: tf.Tensor) -> tf.Tensor:
    """Read the orientation from `exif`, string scalar: int32 scalar, 1 to 8; 1 if it is missing or not valid."""
    return tf.cond(tf.strings.length(exif) > 0, not_inlined(_from_tiff, exif), lambda: tf.constant(1, tf.int32))


def _from_tiff(exif: tf.Tensor) -> tf.Tensor:
    """Read the first directory."""
    prefixed = tf.strings.substr(exif, 0, len(PREFIX)) == PREFIX
    start = tf.where(prefixed, tf.constant(len(PREFIX), tf.int64), 0)
    header = _bytes.window(exif, start, 8)
    little = header[0] == ord("I")

    def numbers(octets: tf.Tensor, *fields: tuple[int, int]) -> list[tf.Tensor]:
        """Return numbers in the file's byte order."""
        pairs = zip(_bytes.little_endian(octets, *fields), _bytes.big_endian(octets, *fields), strict=True)
        return [tf.where(little, *pair) for pair in pairs]

    (at,) = numbers(header, (4, 4))
    at += start
    directory = _bytes.window(exif, at, 2 + 12 * _MAX_ENTRIES)
    (announced,) = numbers(directory[:2], (0, 2))
    present = (tf.cast(tf.strings.length(exif), tf.int64) - at - 2) // 12
    tags, types, counts, values = numbers(tf.reshape(directory[2:], [_MAX_ENTRIES, 12]), (0, 2), (2, 2), (4, 4), (8, 2))
    fits = (
        (tf.range(_MAX_ENTRIES, dtype=tf.int64) < tf.minimum(announced, present))
        & (tags == _ORIENTATION)
        & (types == _SHORT)
        & (counts == 1)
        & (values >= 1)
        & (values <= 8)
    )
    # The 1 at the end is the answer if no entry fits.
    candidates = tf.concat([tf.boolean_mask(values, fits), [1]], axis=0)
    return tf.cast(candidates[0], tf.int32)


def apply(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn and mirror an image [h, w, c] by the orientation, like Pillow's `ImageOps.exif_transpose`."""
    return tf.cond(orientation == 1, lambda: image, not_inlined(_turned, image, orientation))


def _turned(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
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
    """Tell whether the orientation exchanges width and height: bool scalar."""
    return orientation >= 5
