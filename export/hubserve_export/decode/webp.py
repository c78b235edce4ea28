"""WebP (RFC 9649), still pictures with and without transparency.

After "RIFF", a size and "WEBP" comes the first chunk at byte 12: "VP8 " (lossy), "VP8L" (lossless) or "VP8X" (extended:
flags, then the canvas size); its payload begins at 20. TensorFlow must be told the number of channels the file has;
left to find out, it has been seen to corrupt memory on an animation, so animations are refused.
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes, alpha

_KINDS = (b"VP8 ", b"VP8L", b"VP8X")
_ANIMATED = 0x02
_ALPHA = 0x10


def size(head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width of the canvas."""
    bits = _lossless_bits(head)
    # Lossy: three bytes of frame tag, three of start code, then 14 bits each of width and height (RFC 6386, 9.1).
    heights = [_bytes.little_endian(head[28:30]) & 0x3FFF, (bits // 2**14 & 0x3FFF) + 1]
    widths = [_bytes.little_endian(head[26:28]) & 0x3FFF, (bits & 0x3FFF) + 1]
    heights.append(_bytes.little_endian(head[27:30]) + 1)
    widths.append(_bytes.little_endian(head[24:27]) + 1)
    kind = _kind(head)
    return tf.gather(tf.stack(heights), kind), tf.gather(tf.stack(widths), kind)


def decode(data: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Decodes to uint8 [h, w, 3] over white."""
    # In the lossless kind, the bit after width and height says whether alpha is used.
    lossless = (_lossless_bits(head) // 2**28 & 1) * _ALPHA
    flags = tf.gather(tf.stack([tf.constant(0, tf.int64), lossless, head[20]]), _kind(head))
    with tf.control_dependencies([_bytes.require((flags & _ANIMATED) == 0, "animated WebP")]):
        transparent = (flags & _ALPHA) != 0
    return tf.cond(transparent, lambda: alpha.over_white(_pixels(data, 4)), lambda: _pixels(data, 3))


def _kind(head: tf.Tensor) -> tf.Tensor:
    """0 lossy, 1 lossless, 2 extended: int64 scalar."""
    kinds = tf.reduce_all(head[12:16] == [list(kind) for kind in _KINDS], axis=1)
    with tf.control_dependencies([_bytes.require(tf.reduce_any(kinds), "WebP of an unknown kind")]):
        return tf.argmax(kinds)


def _lossless_bits(head: tf.Tensor) -> tf.Tensor:
    """The 32 bits after the signature byte 0x2F: width - 1 (14), height - 1 (14), alpha used (1), version (3)."""
    return _bytes.little_endian(head[21:25])


def _pixels(data: tf.Tensor, channels: int) -> tf.Tensor:
    frames = tf.raw_ops.DecodeWebP(contents=data, channels=channels)
    return tf.ensure_shape(frames[0], [None, None, channels])
