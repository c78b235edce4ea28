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


def size(head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width from the IHDR chunk."""
    return _bytes.big_endian(head[20:24]), _bytes.big_endian(head[16:20])


def decode(data: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Decodes to uint8 [h, w, 3] over white. 16-bit samples keep their upper eight bits."""
    return tf.cond(
        ((head[_COLOUR_TYPE] & _ALPHA_BIT) != 0) | _has_transparency_chunk(data),
        lambda: alpha.over_white(tf.io.decode_png(data, channels=4)),
        # Asked for an alpha channel that the file does not have, TensorFlow fills in the largest value of the file's
        # own bit depth: 1, 3 or 15 out of 255 for small palettes. So it is asked only where there is one.
        lambda: tf.io.decode_png(data, channels=3),
    )


def _has_transparency_chunk(data: tf.Tensor) -> tf.Tensor:
    """Whether a tRNS chunk, which gives palette entries or one colour their transparency, stands before the picture."""

    def kind(position: tf.Tensor) -> tf.Tensor:
        return tf.strings.substr(data, position + 4, tf.constant(4, tf.int64))

    def searching(position: tf.Tensor) -> tf.Tensor:
        return tf.reduce_all(kind(position) != [b"tRNS", b"IDAT"])

    def next_chunk(position: tf.Tensor) -> tuple[tf.Tensor]:
        # Length, type and checksum take 12 bytes around the chunk's own.
        return (position + 12 + _bytes.big_endian(_bytes.octets(data, position, 4)),)

    start = tf.constant(_FIRST_CHUNK, tf.int64)
    (position,) = tf.while_loop(searching, next_chunk, (start,), maximum_iterations=_MAX_CHUNKS)
    found = kind(position)
    with tf.control_dependencies(
        [_bytes.require(tf.reduce_any(found == [b"tRNS", b"IDAT"]), "PNG with too many chunks before the picture")]
    ):
        return found == b"tRNS"
