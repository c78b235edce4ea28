"""PNG (ISO/IEC 15948): 1 to 16 bits, grayscale, palette and colour, transparency composited over white.

After eight bytes of signature come chunks: a big-endian length, a kind of four letters, that many bytes, a checksum of
four. The first is IHDR: width at 16, height at 20, the bit depth at 24 and the colour type at 25.
"""

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
    """Height and width from the IHDR chunk, which must be the first."""
    kind, width, height = _bytes.big_endian(head, (12, 4), (16, 4), (20, 4))
    with tf.control_dependencies([_bytes.require(kind == _kind(b"IHDR"), "PNG without IHDR")]):
        return tf.identity(height), tf.identity(width)


def decode(data: tf.Tensor, head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes to uint8 [h, w, 3] over white, and gives the EXIF. 16-bit samples keep their upper eight bits."""
    has_transparency_chunk, exif = _before_picture(data)
    image = tf.cond(
        ((head[_COLOUR_TYPE] & _ALPHA_BIT) != 0) | has_transparency_chunk,
        lambda: alpha.over_white(tf.io.decode_png(data, channels=4)),
        # Asked for an alpha channel that the file does not have, TensorFlow fills in the largest value of the file's
        # own bit depth: 1, 3 or 15 out of 255 for small palettes. So it is asked only where there is one.
        lambda: tf.io.decode_png(data, channels=3),
    )
    return image, exif


def _before_picture(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Walks to the first IDAT.

    Returns:
        Whether there is a tRNS chunk, which gives palette entries or one colour their transparency: bool scalar. And
        what the eXIf chunk holds: string scalar.
    """

    def next_chunk(
        position: tf.Tensor, _: tf.Tensor, transparent: tf.Tensor, exif_at: tf.Tensor, exif_size: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        length, kind = _bytes.big_endian(_bytes.window(data, position, 8), (0, 4), (4, 4))
        is_exif = kind == _kind(b"eXIf")
        return (
            position + 12 + length,
            kind,
            transparent | (kind == _kind(b"tRNS")),
            tf.where(is_exif, position + 8, exif_at),
            tf.where(is_exif, length, exif_size),
        )

    zero = tf.constant(0, tf.int64)
    _, kind, transparent, exif_at, exif_size = tf.while_loop(
        lambda _, kind, *__: kind != _kind(b"IDAT"),
        next_chunk,
        (tf.constant(_FIRST_CHUNK, tf.int64), zero, tf.constant(False), zero, zero),
        maximum_iterations=_MAX_CHUNKS,
    )
    arrived = _bytes.require(kind == _kind(b"IDAT"), "PNG with no picture, or with too many chunks before it")
    with tf.control_dependencies([arrived]):
        return tf.identity(transparent), _bytes.piece(data, exif_at, exif_size)


def _kind(letters: bytes) -> int:
    return int.from_bytes(letters, "big")
