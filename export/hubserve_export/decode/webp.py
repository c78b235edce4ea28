"""WebP (RFC 9649), still pictures with and without transparency.

After "RIFF", a size and "WEBP" comes the first chunk at byte 12: "VP8 " (lossy), "VP8L" (lossless) or "VP8X"
(extended: flags, then the canvas size). TensorFlow must be told the number of channels the file has; left to find out,
it has been seen to corrupt memory on an animation, so animations are refused.
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes, alpha

_CHUNK = 12
_PAYLOAD = 20
_ANIMATED = 0x02
_ALPHA = 0x10


def size(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width of the canvas."""

    def lossy() -> tuple[tf.Tensor, tf.Tensor]:
        # Three bytes of frame tag and three of start code, then 14 bits each of width and height (RFC 6386, 9.1).
        return _bytes.little_endian(data, _PAYLOAD + 8, 2) & 0x3FFF, _bytes.little_endian(
            data, _PAYLOAD + 6, 2
        ) & 0x3FFF

    def lossless() -> tuple[tf.Tensor, tf.Tensor]:
        bits = _lossless_bits(data)
        return (bits // 2**14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1

    def extended() -> tuple[tf.Tensor, tf.Tensor]:
        return _bytes.little_endian(data, _PAYLOAD + 7, 3) + 1, _bytes.little_endian(data, _PAYLOAD + 4, 3) + 1

    height, width = tf.switch_case(_variant(data), [lossy, lossless, extended])
    return height, width


def decode(data: tf.Tensor) -> tf.Tensor:
    """Decodes to uint8 [h, w, 3] over white."""
    flags = tf.switch_case(
        _variant(data),
        [
            lambda: tf.constant(0, tf.int64),
            # The bit after width and height says whether alpha is used.
            lambda: tf.where((_lossless_bits(data) // 2**28 & 1) != 0, tf.constant(_ALPHA, tf.int64), 0),
            lambda: _bytes.octets(data, _PAYLOAD, 1)[0],
        ],
    )
    with tf.control_dependencies([_bytes.require((flags & _ANIMATED) == 0, "animated WebP")]):
        transparent = (flags & _ALPHA) != 0
    return tf.cond(transparent, lambda: alpha.over_white(_pixels(data, 4)), lambda: _pixels(data, 3))


def _variant(data: tf.Tensor) -> tf.Tensor:
    """0 lossy, 1 lossless, 2 extended: int32 scalar."""
    kinds = tf.stack([_bytes.has(data, _CHUNK, kind) for kind in (b"VP8 ", b"VP8L", b"VP8X")])
    with tf.control_dependencies([_bytes.require(tf.reduce_any(kinds), "WebP of an unknown kind")]):
        return tf.argmax(kinds, output_type=tf.int32)


def _lossless_bits(data: tf.Tensor) -> tf.Tensor:
    """The 32 bits after the signature byte 0x2F: width - 1 (14), height - 1 (14), alpha used (1), version (3)."""
    return _bytes.little_endian(data, _PAYLOAD + 1, 4)


def _pixels(data: tf.Tensor, channels: int) -> tf.Tensor:
    frames = tf.raw_ops.DecodeWebP(contents=data, channels=channels)
    return tf.ensure_shape(frames[0], [None, None, channels])
