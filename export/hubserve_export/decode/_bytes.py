"""Integers read out of a string tensor.

`tf.strings.substr` fails when the position lies outside the string and quietly returns less when only the end does;
the reshape turns the second case into a failure too, so a truncated header is always an error and never a wrong number.
"""

from __future__ import annotations

import tensorflow as tf


def octets(data: tf.Tensor, position: tf.Tensor | int, count: int) -> tf.Tensor:
    """Reads `count` bytes at `position` of the string scalar `data`: int64 [count], each 0 to 255."""
    return tf.reshape(tail(data, position, count), [count])


def tail(data: tf.Tensor, position: tf.Tensor | int, limit: tf.Tensor | int) -> tf.Tensor:
    """Reads at most `limit` bytes from `position` on: int64 [n], n <= limit, each 0 to 255."""
    # substr wants position and length in one dtype.
    piece = tf.strings.substr(data, tf.cast(position, tf.int64), tf.cast(limit, tf.int64))
    return tf.cast(tf.io.decode_raw(piece, tf.uint8), tf.int64)


def big_endian(data: tf.Tensor, position: tf.Tensor | int, count: int) -> tf.Tensor:
    """Reads an unsigned big-endian integer of `count` bytes: int64 scalar."""
    return tf.reduce_sum(octets(data, position, count) * [256 ** (count - 1 - i) for i in range(count)])


def little_endian(data: tf.Tensor, position: tf.Tensor | int, count: int) -> tf.Tensor:
    """Reads an unsigned little-endian integer of `count` bytes: int64 scalar."""
    return tf.reduce_sum(octets(data, position, count) * [256**i for i in range(count)])


def has(data: tf.Tensor, position: tf.Tensor | int, expected: bytes) -> tf.Tensor:
    """Whether the bytes at `position` are `expected`: bool scalar, False where the string ends before."""
    position = tf.cast(position, tf.int64)
    length = tf.cast(tf.strings.length(data), tf.int64)
    inside = position + len(expected) <= length
    return inside & (
        tf.strings.substr(data, tf.where(inside, position, 0), tf.constant(len(expected), tf.int64)) == expected
    )


def require(condition: tf.Tensor, message: str) -> tf.Operation:
    """An op that fails with InvalidArgumentError and `message` unless `condition` holds."""
    return tf.debugging.Assert(condition, [message])
