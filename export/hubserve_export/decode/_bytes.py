"""Integers read out of a string tensor, with few ops: a server optimizes the whole graph before its first answer."""

from __future__ import annotations

import tensorflow as tf

# Every format's header lies within it.
_HEAD = 64


def head(data: tf.Tensor) -> tf.Tensor:
    """The first 64 bytes of the string scalar `data`: int64 [64], zeros where it is shorter."""
    return tf.ensure_shape(tf.cast(tf.io.decode_raw(data, tf.uint8, fixed_length=_HEAD), tf.int64), [_HEAD])


def octets(data: tf.Tensor, position: tf.Tensor, count: int) -> tf.Tensor:
    """Reads `count` bytes at `position`, int64 scalar: int64 [count].

    `tf.strings.substr` fails when the position lies outside the string and quietly returns less when only the end does;
    the reshape makes that a failure too, so a truncated file is always an error and never a wrong number.
    """
    piece = tf.strings.substr(data, position, tf.constant(count, tf.int64))
    return tf.cast(tf.reshape(tf.io.decode_raw(piece, tf.uint8), [count]), tf.int64)


def big_endian(octets: tf.Tensor) -> tf.Tensor:
    """Joins bytes, int64 [..., n] with n known, to unsigned numbers, most significant byte first: int64 [...]."""
    return tf.reduce_sum(octets * [256**i for i in reversed(range(octets.shape[-1]))], axis=-1)


def little_endian(octets: tf.Tensor) -> tf.Tensor:
    """Joins bytes, int64 [..., n] with n known, to unsigned numbers, least significant byte first: int64 [...]."""
    return tf.reduce_sum(octets * [256**i for i in range(octets.shape[-1])], axis=-1)


def require(condition: tf.Tensor, message: str) -> tf.Operation:
    """An op that fails with InvalidArgumentError and `message` unless `condition` holds."""
    return tf.debugging.Assert(condition, [message])
