"""GIF (version 89a): the first frame, on the logical screen, over white.

The file is rewritten in the graph before TensorFlow sees it, because TensorFlow's decoder

- unpacks every frame, so that a small file of many frames takes unbounded memory: all after the first frame is cut off;
- does not know transparency and shows whatever colour hides there: that palette entry becomes white;
- crops to the frame instead of drawing it on the screen: the frame is moved to the corner, and put in its place
afterwards; - returns a damaged frame's unread pixels as they happen to lie in memory: a sentinel frame follows, which
TensorFlow only reaches when the first was whole.

Layout: a header of 13 bytes (screen width at 6, height at 8, flags at 10, all little-endian), the global colour table
if the flags say so, then blocks: extensions (0x21, a label, sub-blocks), images (0x2C, left, top, width, height,
flags, local colour table, code size, sub-blocks), the end (0x3B). Sub-blocks are a length byte and as many bytes each,
until a length of 0.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from . import _bytes

_HEADER = 13
_EXTENSION = 0x21
_GRAPHIC_CONTROL = 0xF9
_IMAGE = 0x2C
_HAS_TABLE = 0x80
# Left, top, width and height of two bytes each, and the flags, after the block's first byte.
_DESCRIPTOR = 10
_MAX_EXTENSIONS = 256
# Sub-blocks of full length, which is nearly all of them, are passed over together: so many at once.
_RUN = 4096
_MAX_STEPS = 65536
# One black pixel with its own colour table.
_SENTINEL = b"\x2c\0\0\0\0\x01\0\x01\0\x80\0\0\0\xff\xff\xff\x02\x02\x44\x01\0"


class _Frame(NamedTuple):
    """Where the first frame lies in the file, and on the screen. All int64 scalars."""

    position: tf.Tensor
    left: tf.Tensor
    top: tf.Tensor
    width: tf.Tensor
    height: tf.Tensor
    transparent: tf.Tensor  # palette index, -1 for none


def size(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width of the screen, grown where the first frame reaches over its edge."""
    frame = _first_frame(data)
    return (
        tf.maximum(_bytes.little_endian(data, 8, 2), frame.top + frame.height),
        tf.maximum(_bytes.little_endian(data, 6, 2), frame.left + frame.width),
    )


def decode(data: tf.Tensor) -> tf.Tensor:
    """Decodes the first frame to uint8 [h, w, 3] over white."""
    frame = _first_frame(data)
    height, width = size(data)
    frames = tf.io.decode_gif(_single_frame(data, frame))
    with tf.control_dependencies([_bytes.require(tf.shape(frames)[0] == 2, "GIF whose first frame is damaged")]):
        image = frames[0]
    around = [[frame.top, height - frame.top - frame.height], [frame.left, width - frame.left - frame.width], [0, 0]]
    return tf.pad(image, around, constant_values=tf.constant(255, tf.uint8))


def _first_frame(data: tf.Tensor) -> _Frame:
    """Walks over the extensions to the first image."""

    def in_extension(position: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        return _bytes.octets(data, position, 1)[0] == _EXTENSION

    def over_extension(position: tf.Tensor, transparent: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        is_control = _bytes.octets(data, position + 1, 1)[0] == _GRAPHIC_CONTROL
        transparent = tf.cond(is_control, lambda: _transparent_index(data, position), lambda: transparent)
        return _end_of_sub_blocks(data, position + 2), transparent

    start = _HEADER + _table_size(_bytes.octets(data, 10, 1)[0])
    position, transparent = tf.while_loop(
        in_extension, over_extension, (start, tf.constant(-1, tf.int64)), maximum_iterations=_MAX_EXTENSIONS
    )
    with tf.control_dependencies(
        [_bytes.require(_bytes.octets(data, position, 1)[0] == _IMAGE, "GIF without a picture")]
    ):
        left, top, width, height = (_bytes.little_endian(data, position + offset, 2) for offset in (1, 3, 5, 7))
    return _Frame(position, left, top, width, height, transparent)


def _transparent_index(data: tf.Tensor, extension: tf.Tensor) -> tf.Tensor:
    """The palette index that a graphic control extension makes transparent, or -1: flags at 3, index at 6."""
    flags, index = _bytes.octets(data, extension + 3, 1)[0], _bytes.octets(data, extension + 6, 1)[0]
    return tf.where((flags & 1) != 0, index, tf.constant(-1, tf.int64))


def _table_size(flags: tf.Tensor) -> tf.Tensor:
    """Bytes of the colour table that the flags announce."""
    return tf.where((flags & _HAS_TABLE) != 0, 3 * tf.bitwise.left_shift(tf.constant(2, tf.int64), flags & 7), 0)


def _end_of_sub_blocks(data: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """The position after the sub-blocks that start at `position`."""
    length = tf.cast(tf.strings.length(data), tf.int64)
    raw = tf.io.decode_raw(data, tf.uint8)

    def inside(position: tf.Tensor) -> tf.Tensor:
        return (position < length) & ~_bytes.has(data, position, b"\0")

    def over_blocks(position: tf.Tensor) -> tuple[tf.Tensor]:
        full = tf.cast(raw[position : position + 256 * _RUN : 256] == 255, tf.int64)
        run = tf.reduce_sum(tf.math.cumprod(full))
        return (tf.where(run > 0, position + 256 * run, position + 1 + _bytes.octets(data, position, 1)[0]),)

    (end,) = tf.while_loop(inside, over_blocks, (position,), maximum_iterations=_MAX_STEPS)
    with tf.control_dependencies([_bytes.require(_bytes.octets(data, end, 1)[0] == 0, "GIF that ends too early")]):
        return end + 1


def _single_frame(data: tf.Tensor, frame: _Frame) -> tf.Tensor:
    """The file again with the one frame at the corner, the sentinel after it, and no extensions."""
    screen_flags = _bytes.octets(data, 10, 1)[0]
    frame_flags = _bytes.octets(data, frame.position + 9, 1)[0]
    global_table = tf.strings.substr(data, tf.constant(_HEADER, tf.int64), _table_size(screen_flags))
    local_table = tf.strings.substr(data, frame.position + _DESCRIPTOR, _table_size(frame_flags))
    own = (frame_flags & _HAS_TABLE) != 0
    pixels = frame.position + _DESCRIPTOR + _table_size(frame_flags)
    end = _end_of_sub_blocks(data, pixels + 1)
    return tf.strings.join(
        [
            tf.strings.substr(data, 0, _HEADER),
            tf.where(own, global_table, _whitened(global_table, frame.transparent)),
            b"\x2c\0\0\0\0",
            tf.strings.substr(data, frame.position + 5, tf.constant(5, tf.int64)),
            tf.where(own, _whitened(local_table, frame.transparent), local_table),
            tf.strings.substr(data, pixels, end - pixels),
            _SENTINEL,
            b"\x3b",
        ]
    )


def _whitened(table: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """The colour table with entry `index` white; as it is when there is no such entry."""
    length = tf.cast(tf.strings.length(table), tf.int64)
    start = 3 * index

    def replaced() -> tf.Tensor:
        rest = tf.strings.substr(table, start + 3, length - start - 3)
        return tf.strings.join([tf.strings.substr(table, tf.constant(0, tf.int64), start), b"\xff\xff\xff", rest])

    return tf.cond((index >= 0) & (start + 3 <= length), replaced, lambda: table)
