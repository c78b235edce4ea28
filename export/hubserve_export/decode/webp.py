"""Decode WebP (RFC 9649): still images and the first frame of animations, transparency composited over white.

After "RIFF", a size and "WEBP" come chunks: a kind of four letters, a little-endian size, that many bytes, one more if
the size is odd. The first is at byte 12: "VP8 " (lossy), "VP8L" (lossless) or "VP8X" (extended: flags at 20, then the
canvas size). An extended file may hold EXIF in a chunk "EXIF", and an animation's frames in chunks "ANMF".

TensorFlow decodes every frame of an animation, and if it has to find out the number of channels, it may corrupt memory.
So it never gets an animation: the first frame is wrapped as a still image, and the number of channels is given.
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes, alpha, cost

_KINDS = (b"VP8 ", b"VP8L", b"VP8X")
_FIRST_CHUNK = 12
# The 32 bits after the signature byte 0x2F: width - 1 (14), height - 1 (14), alpha used (1), version (3).
_LOSSLESS = (21, 4)
_LOSSLESS_ALPHA = 2**28
# The name, the size, the signature byte and these 32 bits.
_LOSSLESS_HEADER = 13
_ANIMATED = 0x02
_EXIF = 0x08
_ALPHA = 0x10
_MAX_CHUNKS = 256
# A frame's left / 2, top / 2, width - 1 and height - 1 of three bytes each, duration of three, flags of one.
_FRAME_HEADER = 16
# An extended header with transparency, without the canvas size at its end.
_STILL = b"VP8X\x0a\0\0\0\x10\0\0\0"
# The most that a pixel costs: see `cost.py`. For a lossy image; for a lossless one or an extended file, whose header
# does not say which one it is; and for an animation, whose frame is placed on the canvas. Lossless coding takes less
# for each pixel, but up to 400 MiB for groups of Huffman codes, about which the header says nothing.
_OCTETS = (4.0, 11.0, 12.0)
_NANOSECONDS = (40.0, 80.0, 80.0)


def size(head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return height and width of the canvas."""
    # Lossy: three bytes of frame tag, three of start code, then 14 bits each of width and height (RFC 6386, 9.1).
    bits, *numbers = _bytes.little_endian(head, _LOSSLESS, (28, 2), (27, 3), (26, 2), (24, 3))
    lossy_height, canvas_height, lossy_width, canvas_width = numbers
    kind = _kind(head)
    return (
        tf.gather(tf.stack([lossy_height & 0x3FFF, (bits // 2**14 & 0x3FFF) + 1, canvas_height + 1]), kind),
        tf.gather(tf.stack([lossy_width & 0x3FFF, (bits & 0x3FFF) + 1, canvas_width + 1]), kind),
    )


def decode(data: tf.Tensor, head: tf.Tensor, limits: cost.Limits) -> cost.Picture:
    """Decode over white."""
    # In the lossless kind, the bit after width and height says whether alpha is used.
    bits, extended = _bytes.little_endian(head, _LOSSLESS, (20, 1))
    none, has_alpha = tf.constant(0, tf.int64), tf.constant(_ALPHA, tf.int64)
    lossless = tf.where((bits & _LOSSLESS_ALPHA) != 0, has_alpha, none)
    flags = tf.gather(tf.stack([none, lossless, extended]), _kind(head))
    animated = (flags & _ANIMATED) != 0
    coding = tf.where(animated, tf.constant(2, tf.int64), tf.minimum(_kind(head), 1))
    refused = limits.exceeded(*size(head), tf.gather(_OCTETS, coding), tf.gather(_NANOSECONDS, coding))
    frame, exif_at, exif_size = _chunks(data, (flags & (_ANIMATED | _EXIF)) != 0)

    def shown() -> tf.Tensor:
        still, transparent, around = tf.cond(
            animated,
            lambda: _first_frame(data, head, frame),
            lambda: (data, (flags & _ALPHA) != 0, tf.zeros((3, 2), tf.int64)),
        )
        image = tf.cond(transparent, lambda: alpha.over_white(_pixels(still, 4)), lambda: _pixels(still, 3))
        white = tf.constant(255, tf.uint8)
        return tf.cond(animated, lambda: tf.pad(image, around, constant_values=white), lambda: image)

    image = tf.ensure_shape(tf.cond(refused, cost.black, shown), [None, None, 3])
    return cost.Picture(image, _bytes.piece(data, exif_at, exif_size), refused)


def _first_frame(data: tf.Tensor, head: tf.Tensor, position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Wrap the frame whose ANMF chunk is at `position` as a still image.

    Returns:
        The file, string scalar; whether TensorFlow sees four channels in it, bool scalar; and the number of pixels of
        the canvas around it, int64 [3, 2], as `tf.pad` takes them.
    """
    chunk = _bytes.octets(data, position, 8 + _FRAME_HEADER + _LOSSLESS_HEADER)
    name, length, left, top, width, height, picture, bits = _bytes.little_endian(
        chunk, (0, 4), (4, 4), (8, 3), (11, 3), (14, 3), (17, 3), (24, 4), (33, 4)
    )
    canvas_height, canvas_width = _bytes.little_endian(head, (27, 3), (24, 3))
    right, below = canvas_width - (2 * left + width), canvas_height - (2 * top + height)
    start = position + 8 + _FRAME_HEADER
    end = position + 8 + length
    whole = (name == _name(b"ANMF")) & (end >= start) & (end <= tf.cast(tf.strings.length(data), tf.int64))
    with tf.control_dependencies([_bytes.require(whole & (right >= 0) & (below >= 0), "WebP without a first frame")]):
        # The size in the file's RIFF header is kept, so the whole file follows the frame to make up the length. libwebp
        # refuses an image whose size differs from its canvas.
        still = tf.strings.join(
            [
                tf.strings.substr(data, 0, _FIRST_CHUNK),
                _STILL,
                tf.strings.substr(data, position + 14, tf.constant(6, tf.int64)),
                tf.strings.substr(data, start, end - start),
                data,
            ]
        )
    # A lossless image says itself whether it has alpha, whatever the header before it says.
    transparent = (picture != _name(b"VP8L")) | ((bits & _LOSSLESS_ALPHA) != 0)
    return still, transparent, tf.stack([[2 * top, below], [2 * left, right], tf.zeros(2, tf.int64)])


def _chunks(data: tf.Tensor, needed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Walk over the chunks if `needed`; return the position of the first ANMF, and position and size of the EXIF."""
    length = tf.cast(tf.strings.length(data), tf.int64)

    def searching(position: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return needed & (position < length)

    def next_chunk(
        position: tf.Tensor, frame: tf.Tensor, exif_at: tf.Tensor, exif_size: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        kind, size = _bytes.little_endian(_bytes.window(data, position, 8), (0, 4), (4, 4))
        is_exif = kind == _name(b"EXIF")
        is_first_frame = (frame == 0) & (kind == _name(b"ANMF"))
        return (
            position + 8 + size + size % 2,
            tf.where(is_first_frame, position, frame),
            tf.where(is_exif, position + 8, exif_at),
            tf.where(is_exif, size, exif_size),
        )

    zero = tf.constant(0, tf.int64)
    _, frame, exif_at, exif_size = tf.while_loop(
        searching,
        next_chunk,
        (tf.constant(_FIRST_CHUNK, tf.int64), zero, zero, zero),
        maximum_iterations=_MAX_CHUNKS,
    )
    return frame, exif_at, exif_size


def _kind(head: tf.Tensor) -> tf.Tensor:
    """Return the kind: 0 lossy, 1 lossless, 2 extended: int64 scalar."""
    (first,) = _bytes.little_endian(head, (12, 4))
    kinds = first == [_name(kind) for kind in _KINDS]
    with tf.control_dependencies([_bytes.require(tf.reduce_any(kinds), "WebP of an unknown kind")]):
        return tf.argmax(kinds)


def _name(letters: bytes) -> int:
    return int.from_bytes(letters, "little")


def _pixels(data: tf.Tensor, channels: int) -> tf.Tensor:
    frames = tf.raw_ops.DecodeWebP(contents=data, channels=channels)
    return tf.ensure_shape(frames[0], [None, None, channels])
