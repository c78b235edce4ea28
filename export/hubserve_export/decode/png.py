"""PNG (ISO/IEC 15948): 1 to 16 bits, grayscale, palette and colour, transparency composited over white."""

from __future__ import annotations

import tensorflow as tf

from . import _bytes, alpha

_FIRST_CHUNK = 8
_COLOUR_TYPE = 25
_ALPHA_BIT = 4
# Ancillary chunks before the picture: colour profile, text, time... A file of thousands of empty ones must not keep a
# server busy.
_MAX_CHUNKS = 256


def size(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width from the IHDR chunk."""
    return _bytes.big_endian(data, 20, 4), _bytes.big_endian(data, 16, 4)


def decode(data: tf.Tensor) -> tf.Tensor:
    """Decodes to uint8 [h, w, 3] over white. 16-bit samples keep their upper eight bits."""
    return tf.cond(
        _has_alpha(data),
        lambda: alpha.over_white(tf.io.decode_png(data, channels=4)),
        # Asked for an alpha channel that the file does not have, TensorFlow fills in the largest value of the file's
        # own bit depth: 1, 3 or 15 out of 255 for small palettes. So it is asked only where there is one.
        lambda: tf.io.decode_png(data, channels=3),
    )


def _has_alpha(data: tf.Tensor) -> tf.Tensor:
    colour_type = _bytes.octets(data, _COLOUR_TYPE, 1)[0]
    return tf.cond((colour_type & _ALPHA_BIT) != 0, lambda: tf.constant(True), lambda: _has_transparency_chunk(data))


def _has_transparency_chunk(data: tf.Tensor) -> tf.Tensor:
    """Whether a tRNS chunk, which gives palette entries or one colour their transparency, stands before the picture."""
    length = tf.cast(tf.strings.length(data), tf.int64)

    def searching(position: tf.Tensor) -> tf.Tensor:
        return (
            (position + 8 <= length)
            & ~_bytes.has(data, position + 4, b"tRNS")
            & ~_bytes.has(data, position + 4, b"IDAT")
        )

    def next_chunk(position: tf.Tensor) -> tuple[tf.Tensor]:
        # Length, type and checksum take 12 bytes around the chunk's own.
        return (position + 12 + _bytes.big_endian(data, position, 4),)

    (position,) = tf.while_loop(
        searching, next_chunk, (tf.constant(_FIRST_CHUNK, tf.int64),), maximum_iterations=_MAX_CHUNKS
    )
    found = _bytes.has(data, position + 4, b"tRNS")
    with tf.control_dependencies(
        [_bytes.require(found | ~searching(position), "PNG with too many chunks before the picture")]
    ):
        return tf.identity(found)
