"""Read integers from a string tensor, with few ops: a server optimizes the whole graph before its first answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

# Every format's header is within this length.
_HEAD = 72


def head(data: tf.Tensor) -> tf.Tensor:
    """Return the first 72 bytes of the string scalar `data`: int64 [72], with zeros if it is shorter."""
    return _padded(data, _HEAD)


def window(data: tf.Tensor, position: tf.Tensor, count: int) -> tf.Tensor:
    """Return the `count` bytes at `position`, int64 scalar >= 0: int64 [count], with zeros beyond the end."""
    return _padded(piece(data, position, tf.constant(count, tf.int64)), count)


def piece(data: tf.Tensor, position: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Return the `count` bytes at `position`, both int64 scalars >= 0, as far as they exist: string scalar."""
    # `tf.strings.substr` fails if the position is beyond the string.
    inside = tf.minimum(position, tf.cast(tf.strings.length(data), tf.int64))
    return tf.strings.substr(data, inside, count)


def count(data: tf.Tensor, wanted: bytes, most: int) -> tf.Tensor:
    """Return how often these bytes occur in `data`, string scalar, counted up to `most`: int64 scalar."""
    return tf.raw_ops.StringSplitV2(input=[data], sep=wanted, maxsplit=most).shape[1] - 1


def octets(data: tf.Tensor, position: tf.Tensor, count: int) -> tf.Tensor:
    """Read `count` bytes at `position`, int64 scalar: int64 [count].

    `tf.strings.substr` fails if the position is outside the string, and silently returns less if only the end is
    outside. The reshape then fails, too, so that a truncated file is always an error and never a wrong number.
    """
    piece = tf.strings.substr(data, position, tf.constant(count, tf.int64))
    return tf.cast(tf.reshape(tf.io.decode_raw(piece, tf.uint8), [count]), tf.int64)


def big_endian(octets: tf.Tensor, *fields: tuple[int, int]) -> list[tf.Tensor]:
    """Return the unsigned numbers at these places, (first byte, bytes), most significant byte first: int64 scalars.

    `octets` is int64 [..., n], with n known; the numbers keep its other dimensions.
    """
    return _numbers(octets, fields, lambda count: range(count - 1, -1, -1))


def little_endian(octets: tf.Tensor, *fields: tuple[int, int]) -> list[tf.Tensor]:
    """Return the same, least significant byte first."""
    return _numbers(octets, fields, range)


def _numbers(
    octets: tf.Tensor, fields: Sequence[tuple[int, int]], exponents: Callable[[int], Sequence[int]]
) -> list[tf.Tensor]:
    # One sum for all numbers.
    weights = np.zeros((len(fields), octets.shape[-1]), np.int64)
    for row, (first, count) in zip(weights, fields, strict=True):
        row[first : first + count] = [256**exponent for exponent in exponents(count)]
    return tf.unstack(tf.reduce_sum(tf.expand_dims(octets, -2) * weights, axis=-1), axis=-1)


def require(condition: tf.Tensor, message: str) -> tf.Operation:
    """Return an op that fails with InvalidArgumentError and `message` unless `condition` holds."""
    return tf.debugging.Assert(condition, [message])


def _padded(data: tf.Tensor, count: int) -> tf.Tensor:
    return tf.ensure_shape(tf.cast(tf.io.decode_raw(data, tf.uint8, fixed_length=count), tf.int64), [count])
