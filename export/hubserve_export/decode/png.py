"""Decode PNG (ISO/IEC 15948): 1 to 16 bits, grayscale, palette and colour, transparency composited over white.

After eight bytes of signature come chunks: a big-endian length, a kind of four letters, that many bytes, a checksum of
four bytes. The first is IHDR: width at 16, height at 20, the bit depth at 24 and the colour type at 25.
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes, alpha, cost, raw_profile

_FIRST_CHUNK = 8
_COLOUR_TYPE = 25
_ALPHA_BIT = 4
# Ancillary chunks before the image: colour profile, text, time... A file with thousands of empty chunks must not keep a
# server busy.
_MAX_CHUNKS = 256
# Text that may be compressed, anywhere in the file: libpng decompresses each, up to eight megabytes.
_TEXTS = (b"zTXt", b"iTXt")
_MAX_TEXTS = 16
_END = b"\0\0\0\0IEND\xaeB`\x82"
# The most that a pixel costs, without transparency and with it: see `cost.py`.
_OCTETS = (4.0, 10.7)
_NANOSECONDS = (45.0, 90.0)


def size(head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return height and width from the IHDR chunk, which must be the first."""
    kind, width, height = _bytes.big_endian(head, (12, 4), (16, 4), (20, 4))
    with tf.control_dependencies([_bytes.require(kind == _kind(b"IHDR"), "PNG without IHDR")]):
        return tf.identity(height), tf.identity(width)


def decode(data: tf.Tensor, head: tf.Tensor, limits: cost.Limits) -> cost.Picture:
    """Decode over white. 16-bit samples keep their upper eight bits."""
    height, width = size(head)
    transparency_chunk, exif = _before_picture(data)
    transparent = ((head[_COLOUR_TYPE] & _ALPHA_BIT) != 0) | transparency_chunk
    costlier = tf.cast(transparent, tf.int32)
    refused = limits.exceeded(height, width, tf.gather(_OCTETS, costlier), tf.gather(_NANOSECONDS, costlier))
    texts = tf.reduce_sum([_bytes.count(data, kind, _MAX_TEXTS + 1) for kind in _TEXTS])
    with tf.control_dependencies([_bytes.require(texts <= _MAX_TEXTS, "PNG with many texts")]):
        contents = _with_its_end(data)
    image = tf.switch_case(
        tf.where(refused, 2, costlier),
        [
            # If TensorFlow is asked for an alpha channel that the file does not have, it fills in the largest value of
            # the file's own bit depth: 1, 3 or 15 out of 255 for small palettes. So it is only asked if there is one.
            lambda: tf.io.decode_png(contents, channels=3),
            lambda: alpha.over_white(tf.io.decode_png(contents, channels=4)),
            cost.black,
        ],
    )
    return cost.Picture(image, exif, refused)


def _with_its_end(data: tf.Tensor) -> tf.Tensor:
    """Return the file with the chunk IEND, which some writers leave out, and libpng requires."""
    length = tf.strings.length(data)
    kinds_in_it = [tf.strings.substr(data, length - left, left) == _END[:left] for left in range(5, len(_END) + 1)]
    # A partial chunk is completed. Fewer than five bytes cannot be distinguished from the chunk before.
    part = tf.reduce_max(tf.where(kinds_in_it, tf.range(5, len(_END) + 1), 0))
    return tf.cond(
        part == len(_END),
        lambda: data,
        lambda: tf.strings.join([tf.strings.substr(data, 0, length - part), _END]),
    )


def _before_picture(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Walk to the first IDAT.

    Returns:
        Whether there is a tRNS chunk, which makes palette entries or one colour transparent: bool scalar. And the EXIF,
        from the chunk eXIf or else from a text "Raw profile type exif": string scalar.
    """

    def next_chunk(
        position: tf.Tensor, _: tf.Tensor, transparent: tf.Tensor, exif: tf.Tensor, text: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        octets = _bytes.window(data, position, 8 + len(raw_profile.KEYWORD))
        length, kind = _bytes.big_endian(octets, (0, 4), (4, 4))
        chunk = tf.stack([position + 8, length])
        is_text = (kind == _kind(b"tEXt")) | (kind == _kind(b"zTXt"))
        is_profile = is_text & tf.reduce_all(octets[8:] == list(raw_profile.KEYWORD))
        return (
            position + 12 + length,
            kind,
            transparent | (kind == _kind(b"tRNS")),
            tf.where(kind == _kind(b"eXIf"), chunk, exif),
            tf.where(is_profile, chunk, text),
        )

    zero, nowhere = tf.constant(0, tf.int64), tf.constant([0, 0], tf.int64)
    _, kind, transparent, exif, text = tf.while_loop(
        lambda _, kind, *__: kind != _kind(b"IDAT"),
        next_chunk,
        (tf.constant(_FIRST_CHUNK, tf.int64), zero, tf.constant(False), nowhere, nowhere),
        maximum_iterations=_MAX_CHUNKS,
    )
    arrived = _bytes.require(kind == _kind(b"IDAT"), "PNG without an image, or with too many chunks before it")
    with tf.control_dependencies([arrived]):
        from_text = (exif[1] == 0) & (text[1] > 0)
    exif_bytes = tf.cond(
        from_text,
        lambda: raw_profile.read(_bytes.piece(data, text[0], text[1])),
        lambda: _bytes.piece(data, exif[0], exif[1]),
    )
    return tf.identity(transparent), exif_bytes


def _kind(letters: bytes) -> int:
    return int.from_bytes(letters, "big")
