"""Turn a batch of encoded images into a batch of model input: limited, resized, each separately."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from .._preprocessing import ACCELERATOR, Preprocessing
from . import _bytes, bmp, canvas, cost, exif, gif, jpeg, png, resize, separately, webp
from ._not_inlined import DEVICE, not_inlined

OK = 0
NOT_AN_IMAGE = 1
TOO_MANY_PIXELS = 2

# If a photograph is scaled during decoding, it stays this many times larger than the model's input, and the antialiased
# resize does the rest.
_SCALE_MARGIN = 2

_JPEG = b"\xff\xd8\xff"


def decode_batch(
    image_bytes: tf.Tensor, preprocessing: Preprocessing, unwrap: Callable[[tf.Tensor], tf.Tensor] | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode and resize every image separately, so that a failing image does not affect the others.

    Args:
        image_bytes: string [N], N >= 0: the encoded images.
        preprocessing: Size, crop, limit, and the device that resizes.
        unwrap: Extracts the encoded image from an element, for input with another format around the image. If it fails,
            only that row fails.

    Returns:
        status, int32 [N] (0 ok, 1 not a decodable image, 2 costs more than allowed), and images, float32 [N, height,
        width, 3] in [0, 1], zeros if the status is not 0.
    """
    shape = (preprocessing.height, preprocessing.width, 3)
    on_accelerator = preprocessing.resize_on == ACCELERATOR
    specs = canvas.SPECS if on_accelerator else (tf.TensorSpec(shape, tf.float32),)

    def any_format(data: tf.Tensor) -> separately.Values:
        return decode_one(unwrap(data) if unwrap else data, preprocessing)

    def only_jpeg(data: tf.Tensor) -> separately.Values:
        return decode_one(data, preprocessing, only_jpeg=True)

    with tf.device(DEVICE):
        count = tf.size(image_bytes)
        which = tf.cast(count != 1, tf.int32)
        row_specs = (tf.TensorSpec([], tf.int32), *specs)
        ways = separately.ways(image_bytes, row_specs, any_format)
        if not unwrap:
            # For every batch, TensorFlow visits each node twice that a dataset's function might run
            # (CapturedFunction::IsMultiDevice). Nearly all batches contain only JPEGs, so they have separate datasets.
            others = tf.reduce_any(tf.strings.substr(image_bytes, 0, len(_JPEG)) != _JPEG)
            which += tf.where(others, 0, len(ways))
            ways += separately.ways(image_bytes, row_specs, only_jpeg)
        # One switch, not nested: nested ones make TensorFlow's loop optimizer warn at every start.
        places, status, *values = tf.switch_case(which, ways)

        def in_place() -> separately.Values:
            known = tf.tensor_scatter_nd_update(tf.fill([count], NOT_AN_IMAGE), places[:, None], status)
            return (known, *separately.in_place(count, places, values))

        # If all images were decoded, there is nothing to copy. This is the common case.
        status, *values = tf.cond(tf.shape(places)[0] == count, lambda: (status, *values), in_place)
        status = tf.ensure_shape(status, [None])
    if on_accelerator:
        pictures, axes = values
        return status, canvas.resized(pictures, axes, preprocessing)
    (images,) = values
    return status, tf.ensure_shape(images, [None, *shape])


def decode_one(data: tf.Tensor, preprocessing: Preprocessing, only_jpeg: bool = False) -> separately.Values:
    """Return status and image of one string scalar; fail (InvalidArgumentError) if it is not a decodable image.

    Args:
        data: The file's bytes.
        preprocessing: Size, crop, limit, and the device that resizes.
        only_jpeg: Also fail for other formats.

    Returns:
        status, int32 scalar, and image, float32 [height, width, 3] in [0, 1]. If the accelerator resizes: status, and
        what `canvas.filled` returns.
    """
    # A photograph may be turned afterwards, so that both sides must be long enough.
    needed = math.ceil(max(preprocessing.height, preprocessing.width) * _SCALE_MARGIN / preprocessing.crop_fraction)
    if resize.scaled_decoding_shows(preprocessing):
        # No side is this long, so that every photograph is decoded at full size.
        needed = 2**31
    limits = cost.Limits(preprocessing)
    # Only JPEG is inlined.
    decoders: list[Callable[[], cost.Picture]] = [lambda: jpeg.decode(data, needed, limits)]
    if only_jpeg:
        # libjpeg refuses other formats.
        which = tf.constant(0)
    else:
        head = _bytes.head(data)
        others: dict[bytes, Callable[[tf.Tensor, tf.Tensor, cost.Limits], cost.Picture]] = {
            b"\x89PNG\r\n\x1a\n": png.decode,
            b"GIF8": gif.decode,
            b"BM": bmp.decode,
            b"RIFF": webp.decode,
        }
        known = _begins_with(head, [_JPEG, *others])
        with tf.control_dependencies([_bytes.require(tf.reduce_any(known), "not an image of a known format")]):
            which = tf.argmax(known, output_type=tf.int32)
        decoders += [not_inlined(decode, data, head, limits) for decode in others.values()]
    picture = cost.Picture(*tf.switch_case(which, decoders))
    status = tf.where(picture.refused, TOO_MANY_PIXELS, OK)
    orientation = exif.orientation(picture.exif)
    if preprocessing.resize_on == ACCELERATOR:
        return (status, *canvas.filled(picture.image, orientation, preprocessing))
    return status, resize.upright(picture.image, orientation, preprocessing)


def _begins_with(head: tf.Tensor, magics: Sequence[bytes]) -> tf.Tensor:
    """Return which of the signatures these first bytes have: bool [signatures]."""
    longest = max(len(magic) for magic in magics)
    octets = tf.constant([list(magic.ljust(longest, b"\0")) for magic in magics], tf.int64)
    beyond = [[place >= len(magic) for place in range(longest)] for magic in magics]
    return tf.reduce_all((head[:longest] == octets) | beyond, axis=1)
