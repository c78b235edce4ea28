"""Turn a batch of encoded images into a batch of model input: limited, resized, each separately."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from .._preprocessing import Preprocessing
from . import _bytes, bmp, cost, exif, gif, jpeg, png, resize, webp
from ._not_inlined import DEVICE, not_inlined

OK = 0
NOT_AN_IMAGE = 1
TOO_MANY_PIXELS = 2

# If a photograph is scaled during decoding, it stays this many times larger than the model's input, and the antialiased
# resize does the rest.
_SCALE_MARGIN = 2

_JPEG = b"\xff\xd8\xff"

_Decoded = tuple[tf.Tensor, tf.Tensor]
_Rows = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


def decode_batch(
    image_bytes: tf.Tensor, preprocessing: Preprocessing, unwrap: Callable[[tf.Tensor], tf.Tensor] | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode and resize every image separately, so that a failing image does not affect the others.

    Args:
        image_bytes: string [N], N >= 0: the encoded images.
        preprocessing: Size, crop and limit.
        unwrap: Extracts the encoded image from an element, for input with another format around the image. If it fails,
            only that row fails.

    Returns:
        status, int32 [N] (0 ok, 1 not a decodable image, 2 costs more than allowed), and images, float32 [N, height,
        width, 3] in [0, 1], zeros if the status is not 0.
    """
    shape = (preprocessing.height, preprocessing.width, 3)

    def any_format(data: tf.Tensor) -> _Decoded:
        return decode_one(unwrap(data) if unwrap else data, preprocessing)

    def only_jpeg(data: tf.Tensor) -> _Decoded:
        return decode_one(data, preprocessing, only_jpeg=True)

    with tf.device(DEVICE):
        count = tf.size(image_bytes)
        which = tf.cast(count != 1, tf.int32)
        ways = _each_for_itself(image_bytes, shape, any_format)
        if not unwrap:
            # For every batch, TensorFlow visits each node twice that a dataset's function might run
            # (CapturedFunction::IsMultiDevice). Nearly all batches contain only JPEGs, so they have separate datasets.
            others = tf.reduce_any(tf.strings.substr(image_bytes, 0, len(_JPEG)) != _JPEG)
            which += tf.where(others, 0, len(ways))
            ways += _each_for_itself(image_bytes, shape, only_jpeg)
        # One switch, not nested: nested ones make TensorFlow's loop optimizer warn at every start.
        places, status, images = tf.switch_case(which, ways)

        def in_place() -> _Decoded:
            known = tf.tensor_scatter_nd_update(tf.fill([count], NOT_AN_IMAGE), places[:, None], status)
            return known, tf.scatter_nd(places[:, None], images, [count, *shape])

        # If all images were decoded, there is nothing to copy. This is the common case.
        status, images = tf.cond(tf.shape(places)[0] == count, lambda: (status, images), in_place)
        return tf.ensure_shape(status, [None]), tf.ensure_shape(images, [None, *shape])


def _each_for_itself(
    elements: tf.Tensor, shape: tuple[int, int, int], decode: Callable[[tf.Tensor], _Decoded]
) -> list[Callable[[], _Rows]]:
    """Return two functions that decode elements separately: for one element, and for any other number.

    Each returns the places of the n elements that could be decoded, int32 [n], ascending, their status, int32 [n], and
    images, float32 [n, *shape].
    """

    # A dataset's function does not inherit the device around it, nor does a branch.
    def row_of(row: tf.Tensor, data: tf.Tensor) -> _Rows:
        with tf.device(DEVICE):
            return (row, *decode(data))

    def batch_of_one(row: tf.Tensor, data: tf.Tensor) -> _Rows:
        with tf.device(DEVICE):
            return tuple(value[None] for value in row_of(row, data))

    def rows() -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices((tf.range(tf.size(elements)), elements))

    def alone() -> _Rows:
        # For one image, threads and a copy into a batch would cost more than they gain.
        with tf.device(DEVICE):
            return _first(rows().map(batch_of_one).ignore_errors(), shape)

    def together() -> _Rows:
        with tf.device(DEVICE):
            each = rows().map(row_of, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            return _first(_batched(each.ignore_errors(), tf.size(elements), shape), shape)

    return [alone, together]


def _first(batches: tf.data.Dataset, shape: tuple[int, int, int]) -> _Rows:
    """Return the only batch of a dataset: places, int32 [n], status, int32 [n], and images, float32 [n, *shape].

    `get_single_element` fails on an empty dataset, which remains if no image could be decoded. Then n is 0.
    """
    none = tf.zeros([0], tf.int32)
    nothing = tf.data.Dataset.from_tensors((none, none, tf.zeros([0, *shape])))
    return batches.concatenate(nothing).take(1).get_single_element()


def _batched(rows: tf.data.Dataset, count: tf.Tensor, shape: tuple[int, int, int]) -> tf.data.Dataset:
    """Return `rows.batch(count)`, where all threads copy images instead of one.

    The operation has an attribute for it, which TensorFlow's Python code leaves off (`parallel_copy`).
    """
    specs = (tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, *shape]))
    batches = tf.raw_ops.BatchDatasetV2(
        input_dataset=tf.data.experimental.to_variant(rows),
        # 0 would be refused.
        batch_size=tf.cast(tf.maximum(count, 1), tf.int64),
        drop_remainder=False,
        parallel_copy=True,
        output_types=[spec.dtype for spec in specs],
        output_shapes=[spec.shape for spec in specs],
    )
    return tf.data.experimental.from_variant(batches, specs)


def decode_one(data: tf.Tensor, preprocessing: Preprocessing, only_jpeg: bool = False) -> _Decoded:
    """Return status and image of one string scalar; fail (InvalidArgumentError) if it is not a decodable image.

    Args:
        data: The file's bytes.
        preprocessing: Size, crop and limit.
        only_jpeg: Also fail for other formats.
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
    return status, _model_input(picture.image, exif.orientation(picture.exif), preprocessing)


def _begins_with(head: tf.Tensor, magics: Sequence[bytes]) -> tf.Tensor:
    """Return which of the signatures these first bytes have: bool [signatures]."""
    longest = max(len(magic) for magic in magics)
    octets = tf.constant([list(magic.ljust(longest, b"\0")) for magic in magics], tf.int64)
    beyond = [[place >= len(magic) for place in range(longest)] for magic in magics]
    return tf.reduce_all((head[:longest] == octets) | beyond, axis=1)


def _model_input(image: tf.Tensor, orientation: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Resize uint8 [h, w, 3], and turn it upright: float32 [height, width, 3] in [0, 1]."""
    target = turned = (preprocessing.height, preprocessing.width)
    if preprocessing.resize == "stretch" and preprocessing.interpolation != "nearest":
        # Turning the small image is cheap, and gives the same result.
        if target[0] != target[1]:
            swap = exif.swaps_axes(orientation)
            turned = (tf.where(swap, target[1], target[0]), tf.where(swap, target[0], target[1]))
        picture = exif.apply(resize.resized(image, turned, preprocessing), orientation)
    else:
        # Places of crops, bars and nearest pixels are rounded, which depends on the direction.
        picture = resize.resized(exif.apply(image, orientation), target, preprocessing)
    return tf.ensure_shape(picture, (preprocessing.height, preprocessing.width, 3))
