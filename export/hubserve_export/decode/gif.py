"""Decode GIF (version 89a): the first frame, on the logical screen, over white.

The file is rewritten in the graph before TensorFlow sees it, because TensorFlow's decoder

- decodes every frame, so that a small file of many frames takes unbounded memory: later frames are cut off;
- does not support transparency and shows the hidden colour: that palette entry becomes white;
- crops to the frame instead of drawing it on the screen: the frame is moved to the corner, and moved back afterwards;
- returns uninitialised memory for the missing pixels of a damaged frame: a sentinel frame follows, which TensorFlow
only
  reaches if the first frame is complete.

Layout: a header of 13 bytes (screen width at 6, height at 8, flags at 10, all little-endian), the global colour table
if the flags say so, then blocks: extensions (0x21, a label, sub-blocks), images (0x2C, left, top, width, height, flags,
local colour table, code size, sub-blocks), the end (0x3B). Sub-blocks are a length byte and as many bytes each, until a
length of 0.
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes, cost

_HEADER = 13
_EXTENSION = 0x21
_GRAPHIC_CONTROL = 0xF9
_IMAGE = 0x2C
_HAS_TABLE = 0x80
# The type of the block (one byte), left, top, width and height of two bytes each, and the flags.
_DESCRIPTOR = 10
_MAX_EXTENSIONS = 256
# Nearly all sub-blocks have the same length, and are skipped together, up to this many at once.
_RUN = 4096
# The limit for all skipped sub-blocks, of every extension and of the image.
_MAX_STEPS = 16384
# The most that a pixel costs: see `cost.py`.
_OCTETS = 10.5
_NANOSECONDS = 40.0
# One black pixel with its own colour table.
_SENTINEL = b"\x2c\0\0\0\0\x01\0\x01\0\x80\0\0\0\xff\xff\xff\x02\x02\x44\x01\0"


def size(head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return height and width of the screen."""
    height, width = _bytes.little_endian(head, (8, 2), (6, 2))
    return height, width


def decode(data: tf.Tensor, head: tf.Tensor, limits: cost.Limits) -> cost.Picture:
    """Decode the first frame, over white. A frame that exceeds the screen makes it larger, as in Pillow."""
    raw = tf.io.decode_raw(data, tf.uint8)
    position, transparent, steps = _first_frame(data, raw, head)
    descriptor = _bytes.octets(data, position, _DESCRIPTOR)
    kind, left, top, width, height, flags = _bytes.little_endian(
        descriptor, (0, 1), (1, 2), (3, 2), (5, 2), (7, 2), (9, 1)
    )
    screen_height, screen_width = size(head)
    below, right = tf.maximum(screen_height - top - height, 0), tf.maximum(screen_width - left - width, 0)
    refused = limits.exceeded(top + height + below, left + width + right, _OCTETS, _NANOSECONDS)

    def shown() -> tf.Tensor:
        frames = tf.io.decode_gif(_single_frame(data, raw, head, position, flags, transparent, steps))
        whole = _bytes.require(tf.shape(frames)[0] == 2, "GIF whose first frame is damaged")
        with tf.control_dependencies([whole]):
            around = [[top, below], [left, right], [0, 0]]
            return tf.pad(frames[0], around, constant_values=tf.constant(255, tf.uint8))

    with tf.control_dependencies([_bytes.require(kind == _IMAGE, "GIF without an image")]):
        image = tf.cond(refused, cost.black, shown)
    return cost.Picture(tf.ensure_shape(image, [None, None, 3]), cost.no_exif(), refused)


def _first_frame(data: tf.Tensor, raw: tf.Tensor, head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Skip the extensions.

    Returns:
        The position of the first block that is not an extension, the transparent index or -1, and the remaining steps.
    """

    def in_extension(position: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return _byte(data, position) == _EXTENSION

    def over_extension(position: tf.Tensor, transparent: tf.Tensor, steps: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # The extension that is read has eight bytes, and even the shortest file has more bytes after any extension.
        block = _bytes.octets(data, position, 8)
        transparent = tf.where(
            block[1] == _GRAPHIC_CONTROL,
            tf.where((block[3] & 1) != 0, block[6], tf.constant(-1, tf.int64)),
            transparent,
        )
        end, steps = _end_of_sub_blocks(data, raw, position + 2, steps)
        return end, transparent, steps

    start = _HEADER + _table_size(head[10])
    position, transparent, steps = tf.while_loop(
        in_extension,
        over_extension,
        (start, tf.constant(-1, tf.int64), tf.constant(_MAX_STEPS)),
        maximum_iterations=_MAX_EXTENSIONS,
    )
    return position, transparent, steps


def _single_frame(
    data: tf.Tensor,
    raw: tf.Tensor,
    head: tf.Tensor,
    position: tf.Tensor,
    flags: tf.Tensor,
    transparent: tf.Tensor,
    steps: tf.Tensor,
) -> tf.Tensor:
    """Return the file with only the first frame, at the corner, the sentinel after it, and no extensions."""
    global_size, local_size = _table_size(head[10]), _table_size(flags)
    pixels = position + _DESCRIPTOR + local_size
    end, _ = _end_of_sub_blocks(data, raw, pixels + 1, steps)
    own = local_size > 0
    table = tf.where(own, position + _DESCRIPTOR, _HEADER)
    whitened = _whitened(tf.strings.substr(data, table, tf.where(own, local_size, global_size)), transparent)
    return tf.strings.join(
        [
            tf.strings.substr(data, 0, _HEADER),
            tf.where(own, tf.strings.substr(data, tf.constant(_HEADER, tf.int64), global_size), whitened),
            b"\x2c\0\0\0\0",
            tf.strings.substr(data, position + 5, tf.constant(5, tf.int64)),
            tf.where(own, whitened, b""),
            tf.strings.substr(data, pixels, end - pixels),
            _SENTINEL,
            b"\x3b",
        ]
    )


def _whitened(table: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Return the colour table with entry `index` white; unchanged if there is no such entry."""
    length = tf.strings.length(table)
    start = 3 * tf.cast(index, tf.int32)
    inside = (start >= 0) & (start + 3 <= length)
    # If there is nothing to whiten, the table is cut at its end and joined with nothing.
    before, after = tf.where(inside, start, length), tf.where(inside, start + 3, length)
    return tf.strings.join(
        [
            tf.strings.substr(table, 0, before),
            tf.where(inside, b"\xff\xff\xff", b""),
            tf.strings.substr(table, after, length),
        ]
    )


def _end_of_sub_blocks(
    data: tf.Tensor, raw: tf.Tensor, position: tf.Tensor, steps: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the position after the sub-blocks that start at `position`, and the remaining steps.

    Fail if no steps remain.
    """

    def inside(position: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        return (steps > 0) & (_byte(data, position) != 0)

    def over_blocks(position: tf.Tensor, steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        stride = 1 + _byte(data, position)
        lengths = tf.cast(raw[position : position + stride * _RUN : stride], tf.int64)
        run = tf.reduce_sum(tf.math.cumprod(tf.cast(lengths == stride - 1, tf.int64)))
        return position + stride * run, steps - 1

    end, steps = tf.while_loop(inside, over_blocks, (position, steps))
    with tf.control_dependencies([_bytes.require(_byte(data, end) == 0, "GIF of too many sub-blocks")]):
        return end + 1, tf.identity(steps)


def _byte(data: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """Return the byte at `position`, int64 scalar; fail beyond the end."""
    return _bytes.octets(data, position, 1)[0]


def _table_size(flags: tf.Tensor) -> tf.Tensor:
    """Return the size in bytes of the colour table that the flags define."""
    return tf.where((flags & _HAS_TABLE) != 0, 3 * tf.bitwise.left_shift(tf.constant(2, tf.int64), flags & 7), 0)
