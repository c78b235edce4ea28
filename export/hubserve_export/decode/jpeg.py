"""Decode JPEG: every mode that libjpeg reads, as accurately as Pillow, scaled during decoding if it is large.

A JPEG is a chain of segments (ISO 10918-1, B.1.1): 0xFF, a marker, a 16-bit big-endian length that includes itself, the
payload. A marker may have more 0xFF before it. EXIF is an APP1 segment whose payload begins with "Exif\\0\\0".
"""

from __future__ import annotations

import tensorflow as tf

from . import _bytes, cost, exif
from ._not_inlined import not_inlined

# libjpeg can leave out high frequencies during decoding, which makes a large photograph cheap: the result has 1/2, 1/4
# or 1/8 of its size.
_RATIOS = (2, 4, 8)
# Below this, full decoding is cheap, and exact.
_LARGE_PIXELS = 1_000_000

_COMMENT = 0xFFFE
_APP1 = 0xFFE1
_START_OF_SCAN = 0xFFDA
# Markers in between do not have a length: RST0 to RST7, SOI and EOI; also TEM and 0xFF00, which is not a marker.
_FIRST_WITHOUT_LENGTH = 0xFFD0
_FIRST_WITH_LENGTH = 0xFF02
# SOF, the frame header; its number defines the coding. DHT, JPG and DAC have numbers in this range, too.
_FRAME_HEADERS = tuple(0xFFC0 + number for number in range(16) if number not in (4, 8, 12))
_PROGRESSIVE, _ARITHMETIC, _ARITHMETIC_PROGRESSIVE = 0xFFC2, 0xFFC9, 0xFFCA
_ONE_PASS = (0xFFC0, 0xFFC1, _ARITHMETIC)
# Marker, length, precision, height, width, number of components; for each component its name, sampling and table.
_FRAME_HEADER = 10
_MOST_COMPONENTS = 4
_FILL = 0xFFFF
# A file of only tiny segments must not keep a server busy.
_MAX_SEGMENTS = 1024
# The number of scans of a file that was not searched for them.
_UNKNOWN = 0
# Encoders write about ten scans, and libjpeg-turbo's own fuzzers stop at 100.
_MAX_SCANS = 100

# The most that a pixel costs: see `cost.py`. For one decoding, at full size or scaled.
_NANOSECONDS = 25.0
_OCTETS, _SCALED_OCTETS = 3.0, 0.75
# For an image in several scans, libjpeg stores a coefficient of two bytes for each sample, and visits all blocks for
# each scan, which may be as short as 10 bytes.
_COEFFICIENT_OCTETS = 2.0
_SCAN_NANOSECONDS = 2.0
# Arithmetic coding does not end with its data: a few bytes can stand for a whole scan, bit by bit, sample by sample.
_ARITHMETIC_NANOSECONDS = 120.0
# Pixels, times scans, that are cheap in any coding.
_MODEST = 4_000_000

# CMYK in JPEG is inverted, as Photoshop introduced it, and readers assume it with and without Adobe's marker.
# TensorFlow needs the marker, which is therefore added. An Adobe segment of the file comes later and overrides it.
_CMYK = 4
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"


def decode(data: tf.Tensor, needed: int, limits: cost.Limits) -> cost.Picture:
    """Decode a small photograph at full size, and a large one at the smallest of libjpeg's scales that is enough.

    Args:
        data: string scalar.
        needed: The fewest rows, and columns, of a scaled result.
        limits: The limits on its cost.
    """
    height, width, channels = tf.unstack(_shape(data))
    pixels, modest_pixels = limits.counted(height, width), min(_MODEST, limits.pixels)
    # The search for scans reads the whole file. The headers of a file that is walked anyway mostly make it needless.
    big = pixels > modest_pixels
    before_scans, scans = tf.cond(big, lambda: (cost.no_exif(), tf.constant(_UNKNOWN, tf.int64)), lambda: _scans(data))
    # The walk costs more than everything else around decoding. If the marker of a scan occurs once, it is the scan's,
    # and without the prefix before it there is no EXIF.
    walk = (scans * pixels > modest_pixels) | (scans != 1) | (_split(before_scans, exif.PREFIX, 1)[1] > 0)
    exif_bytes, frame, together, scans = tf.cond(
        walk,
        not_inlined(_walk, data, scans),
        lambda: (cost.no_exif(), tf.constant(b""), tf.constant(0, tf.int64), scans),
    )
    with tf.control_dependencies([_bytes.require(scans <= _MAX_SCANS, "JPEG of many scans")]):
        contents = tf.cond(channels == _CMYK, not_inlined(_with_adobe_marker, data), lambda: data)
    modest = scans * pixels <= modest_pixels
    large = (height * width >= _LARGE_PIXELS) & (tf.minimum(height, width) >= needed * _RATIOS[0])
    too_dear = not_inlined(_exceeded, data, height, width, frame, together, scans, channels, large, limits)
    refused = tf.cond(modest, lambda: tf.constant(False), too_dear)
    scaled = not_inlined(_scaled, contents, tf.minimum(height, width), needed)
    way = tf.where(refused, 2, tf.cast(large, tf.int32))
    image = tf.switch_case(way, [lambda: _decode_at(contents, 1), scaled, cost.black])
    return cost.Picture(image, exif_bytes, refused)


def _shape(data: tf.Tensor) -> tf.Tensor:
    """Return height, width and channels from the frame header, as libjpeg reads it: int64 [3]."""
    return tf.cast(tf.ensure_shape(tf.io.extract_jpeg_shape(data), [3]), tf.int64)


def _scans(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the bytes before the first scan, string scalar, and how often a scan begins, int64 scalar.

    The count is at least the number of scans, up to 101: a scan begins with its marker and a length below 256. This
    sequence cannot occur within compressed data. Elsewhere, as in a video after the image, it occurs by chance once in
    16 MiB.
    """
    return _split(data, _START_OF_SCAN.to_bytes(2, "big") + b"\0", _MAX_SCANS + 1)


def _split(data: tf.Tensor, separator: bytes, most: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what is before the separator, and how often it occurs, up to `most`: string and int64 scalars."""
    pieces = tf.raw_ops.StringSplitV2(input=[data], sep=separator, maxsplit=most)
    return pieces.values[0], pieces.shape[1] - 1


def _with_adobe_marker(data: tf.Tensor) -> tf.Tensor:
    return tf.strings.join([tf.strings.substr(data, 0, 2), _ADOBE, tf.strings.substr(data, 2, -1)])


def _walk(data: tf.Tensor, scans: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Walk to the first scan.

    Args:
        data: string scalar.
        scans: The number of scans, int64 scalar, or 0 if it is not known.

    Returns:
        The EXIF, string scalar, empty if there is none; the frame header, string scalar, empty if the walk does not
        reach it; the number of components in the first scan, int64 scalar, 0 if the walk does not reach it; and the
        number of scans, int64 scalar.
    """

    def before_scan(_: tf.Tensor, __: tf.Tensor, marker: tf.Tensor, *___: tf.Tensor) -> tf.Tensor:
        return (marker >= _FIRST_WITH_LENGTH) & ((marker < _FIRST_WITHOUT_LENGTH) | (marker > _START_OF_SCAN))

    def next_segment(
        position: tf.Tensor, _: tf.Tensor, __: tf.Tensor, frame: tf.Tensor, exif_at: tf.Tensor, exif_size: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        marker, length, prefix = _bytes.big_endian(_bytes.window(data, position, 10), (0, 2), (2, 2), (4, 6))
        is_frame = (frame == 0) & tf.reduce_any(marker == _FRAME_HEADERS)
        is_exif = (frame + exif_at == 0) & (marker == _APP1) & (prefix == int.from_bytes(exif.PREFIX, "big"))
        return (
            position + tf.where(marker == _FILL, tf.constant(1, tf.int64), 2 + length),
            position,
            marker,
            tf.where(is_frame, position, frame),
            tf.where(is_exif, position + 4, exif_at),
            tf.where(is_exif, tf.maximum(length - 2, 0), exif_size),
        )

    zero = tf.constant(0, tf.int64)
    _, at, marker, frame, exif_at, exif_size = tf.while_loop(
        before_scan,
        next_segment,
        (tf.constant(2, tf.int64), zero, tf.constant(_COMMENT, tf.int64), zero, zero, zero),
        maximum_iterations=_MAX_SEGMENTS,
    )
    longest = tf.constant(_FRAME_HEADER + 3 * _MOST_COMPONENTS, tf.int64)
    together = tf.where(marker == _START_OF_SCAN, _bytes.window(data, at + 4, 1)[0], 0)
    header = _bytes.piece(data, frame, tf.where(frame > 0, longest, 0))
    # If the first scan has all components, libjpeg decodes it line by line, and another scan is an error.
    least = tf.where(_one_pass(*_coding(header), together), tf.maximum(scans, 1), scans)
    scans = tf.cond(least == _UNKNOWN, lambda: _scans(data)[1], lambda: least)
    return _bytes.piece(data, exif_at, exif_size), header, together, scans


def _coding(frame: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the marker of the frame header, 0 if there is none, and the number of components, int64 scalars."""
    header = _bytes.window(frame, tf.constant(0, tf.int64), _FRAME_HEADER)
    marker, components = _bytes.big_endian(header, (0, 2), (9, 1))
    return marker, components


def _one_pass(marker: tf.Tensor, components: tf.Tensor, together: tf.Tensor) -> tf.Tensor:
    """Tell whether libjpeg decodes line by line, without coefficients of the whole image: bool scalar."""
    return tf.reduce_any(marker == _ONE_PASS) & (together == components)


def _price(
    data: tf.Tensor, frame: tf.Tensor, together: tf.Tensor, scans: tf.Tensor, channels: tf.Tensor, scaled: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the cost of a pixel: bytes and nanoseconds, float32 scalars.

    If no frame header was found, libjpeg may still find one: then the highest cost is assumed.
    """
    header = _bytes.window(frame, tf.constant(0, tf.int64), _FRAME_HEADER + 3 * _MOST_COMPONENTS)
    marker, components = _bytes.big_endian(header, (0, 2), (9, 1))
    known = marker > 0
    sampling = tf.where(tf.range(_MOST_COMPONENTS, dtype=tf.int64) < components, header[_FRAME_HEADER + 1 :: 3], 0)
    across, down = sampling // 16, sampling % 16
    most = tf.maximum(tf.reduce_max(across) * tf.reduce_max(down), 1)
    samples = tf.cast(tf.where(known, tf.reduce_sum(across * down) / most, tf.cast(channels, tf.float64)), tf.float32)
    named = tf.reduce_any(marker == (_ARITHMETIC, _ARITHMETIC_PROGRESSIVE))
    anywhere = [_split(data, code.to_bytes(2, "big"), 1)[1] > 0 for code in (_ARITHMETIC, _ARITHMETIC_PROGRESSIVE)]
    arithmetic = named | (~known & tf.reduce_any(anywhere))
    one_pass = _one_pass(marker, components, together)
    octets = tf.where(scaled, _SCALED_OCTETS, _OCTETS) + tf.where(one_pass, 0.0, _COEFFICIENT_OCTETS * samples)
    scan = tf.where(arithmetic, _ARITHMETIC_NANOSECONDS * samples, _SCAN_NANOSECONDS)
    return octets, _NANOSECONDS + tf.cast(scans, tf.float32) * scan


def _exceeded(
    data: tf.Tensor,
    height: tf.Tensor,
    width: tf.Tensor,
    frame: tf.Tensor,
    together: tf.Tensor,
    scans: tf.Tensor,
    channels: tf.Tensor,
    scaled: tf.Tensor,
    limits: cost.Limits,
) -> tf.Tensor:
    return limits.exceeded(height, width, *_price(data, frame, together, scans, channels, scaled))


def _scaled(contents: tf.Tensor, shorter: tf.Tensor, needed: int) -> tf.Tensor:
    scale = tf.reduce_sum(tf.cast(shorter // needed >= _RATIOS, tf.int32)) - 1
    return tf.switch_case(scale, [lambda ratio=ratio: _decode_at(contents, ratio) for ratio in _RATIOS])


def _decode_at(data: tf.Tensor, ratio: int) -> tf.Tensor:
    # TensorFlow's default DCT is the fast one, which differs from Pillow in two pixels of three; the accurate one is
    # equal to Pillow's, bit for bit.
    return tf.io.decode_jpeg(data, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")
