"""JPEG: every mode libjpeg reads, at the accuracy Pillow has, scaled while decoding when the photograph is large.

A JPEG is a chain of segments (ISO 10918-1, B.1.1): 0xFF, a marker, a 16-bit big-endian length that counts itself, the
payload. Any number of 0xFF may stand before a marker. EXIF is an APP1 segment whose payload begins with "Exif\\0\\0".
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes, exif
from ._seldom import seldom

# libjpeg can leave out high frequencies while decoding, which makes a large photograph cheap: it comes out at 1/2, 1/4
# or 1/8 of its size.
_RATIOS = (2, 4, 8)
# Below this, full decoding is cheap, and exact.
_LARGE_PIXELS = 1_000_000

_MARKERS = 0xFF00
_APP1 = 0xFFE1
_START_OF_SCAN = 0xFFDA
# SOF: the frame header, whose number says how the picture is coded. Among them stand DHT, JPG and DAC.
_FRAME_HEADERS = tuple(0xFFC0 + number for number in range(16) if number not in (4, 8, 12))
_FILL = 0xFFFF
# A file of nothing but tiny segments must not keep a server busy.
_MAX_SEGMENTS = 1024
# Where a file has several scans, progressive or not, libjpeg goes over all of its pixels once a scan, and a scan can be
# as short as 10 bytes: a file of some megabytes could keep a core busy for an hour. Encoders write about ten;
# libjpeg-turbo's own fuzzers stop at 500.
_MAX_SCANS = 500

# CMYK in JPEG is inverted, as Photoshop began it, and readers take it so whether or not the file has Adobe's marker;
# TensorFlow only where it has. An Adobe segment of the file's own comes later and overrides this one.
_CMYK = 4
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"


def size(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width from the frame header, as libjpeg reads it, before any EXIF rotation."""
    height, width, _ = tf.unstack(_shape(data))
    return height, width


def decode(data: tf.Tensor, needed: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a small photograph whole, and a large one at the smallest of libjpeg's scales that is enough.

    Args:
        data: string scalar.
        needed: Rows, and columns, that a scaled result must have at least.

    Returns:
        The image, uint8 [h, w, 3], and the EXIF, string scalar, empty where there is none.
    """
    height, width, channels = tf.unstack(_shape(data))
    before_scans, scans = _scans(data)
    with tf.control_dependencies([_bytes.require(scans <= _MAX_SCANS, "JPEG of many scans")]):
        contents = tf.cond(channels == _CMYK, seldom(lambda: _with_adobe_marker(data)), lambda: data)
    # The walk costs more than all else around decoding. Where the marker of a scan comes up once, it is the scan's, and
    # without the prefix before it there is no EXIF.
    walk = (scans != 1) | (_split(before_scans, exif.PREFIX, 1)[1] > 0)
    exif_bytes = tf.cond(walk, seldom(lambda: _exif(data)), lambda: tf.constant(b""))
    large = (height * width >= _LARGE_PIXELS) & (tf.minimum(height, width) >= needed * _RATIOS[0])

    def scaled() -> tf.Tensor:
        scale = tf.reduce_sum(tf.cast(tf.minimum(height, width) // needed >= _RATIOS, tf.int32)) - 1
        return tf.switch_case(scale, [lambda ratio=ratio: _decode_at(contents, ratio) for ratio in _RATIOS])

    return tf.cond(large, seldom(scaled), lambda: _decode_at(contents, 1)), exif_bytes


def _shape(data: tf.Tensor) -> tf.Tensor:
    """Height, width and channels from the frame header, as libjpeg reads it: int64 [3]."""
    return tf.cast(tf.ensure_shape(tf.io.extract_jpeg_shape(data), [3]), tf.int64)


def _scans(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The bytes before the first marker of a scan, string scalar; and how often one comes up, int64 scalar.

    That is at least the number of scans, or of 501 where there are more. Within compressed data the marker cannot come
    up. Elsewhere, as in a video behind the picture, it does by chance, once in 64 KiB.
    """
    return _split(data, _START_OF_SCAN.to_bytes(2, "big"), _MAX_SCANS + 1)


def _split(data: tf.Tensor, separator: bytes, most: int) -> tuple[tf.Tensor, tf.Tensor]:
    """What comes before the separator, and how often that comes up, `most` at the most: string and int64 scalars."""
    pieces = tf.raw_ops.StringSplitV2(input=[data], sep=separator, maxsplit=most)
    return pieces.values[0], pieces.shape[1] - 1


def _with_adobe_marker(data: tf.Tensor) -> tf.Tensor:
    return tf.strings.join([tf.strings.substr(data, 0, 2), _ADOBE, tf.strings.substr(data, 2, -1)])


def _exif(data: tf.Tensor) -> tf.Tensor:
    """Walks to the frame header, and gives the EXIF, string scalar, empty where there is none."""

    def before_frame(_: tf.Tensor, marker: tf.Tensor, *__: tf.Tensor) -> tf.Tensor:
        return (marker >= _MARKERS) & tf.reduce_all(marker != (*_FRAME_HEADERS, _START_OF_SCAN))

    def next_segment(
        position: tf.Tensor, _: tf.Tensor, exif_at: tf.Tensor, exif_size: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        marker, length, prefix = _bytes.big_endian(_bytes.window(data, position, 10), (0, 2), (2, 2), (4, 6))
        is_exif = (exif_at == 0) & (marker == _APP1) & (prefix == int.from_bytes(exif.PREFIX, "big"))
        return (
            position + tf.where(marker == _FILL, tf.constant(1, tf.int64), 2 + length),
            marker,
            tf.where(is_exif, position + 4, exif_at),
            tf.where(is_exif, tf.maximum(length - 2, 0), exif_size),
        )

    zero = tf.constant(0, tf.int64)
    _, _, exif_at, exif_size = tf.while_loop(
        before_frame,
        next_segment,
        (tf.constant(2, tf.int64), tf.constant(_MARKERS, tf.int64), zero, zero),
        maximum_iterations=_MAX_SEGMENTS,
    )
    return _bytes.piece(data, exif_at, exif_size)


def _decode_at(data: tf.Tensor, ratio: int) -> tf.Tensor:
    # TensorFlow's default DCT is the fast one, which differs from Pillow in two pixels out of three; the accurate one
    # is Pillow's, bit for bit.
    return tf.io.decode_jpeg(data, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")
