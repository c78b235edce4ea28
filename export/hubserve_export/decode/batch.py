"""A batch of encoded images to a batch of model input: capped, resized, and each for itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from . import _bytes, bmp, exif, gif, jpeg, png, webp
from ._seldom import DEVICE, seldom

OK = 0
NOT_AN_IMAGE = 1
TOO_MANY_PIXELS = 2

# Where a photograph is scaled while decoding, it is left this many times larger than the model's input, and the
# antialiased resize does the rest.
_SCALE_MARGIN = 2

_JPEG = b"\xff\xd8\xff"

_Size = tuple[tf.Tensor, tf.Tensor]
_Decoded = tuple[tf.Tensor, tf.Tensor]
_Picture = tuple[tf.Tensor, tf.Tensor]
_Rows = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


@dataclass(frozen=True)
class Preprocessing:
    """What happens to an image before the model sees it.

        Preprocessing(height=331, width=331)
        Preprocessing(height=331, width=331, crop_fraction=0.875)   # the published evaluation of the Inception family

    Attributes:
        height: Rows of the model's input.
        width: Columns of the model's input.
        crop_fraction: The central part of each side that is kept, 0 < f <= 1.
        max_pixels: Pixels, read from the header, above which an image is refused before it is decoded.
    """

    height: int
    width: int
    crop_fraction: float = 1.0
    max_pixels: int = 64_000_000


def decode_batch(
    image_bytes: tf.Tensor, preprocessing: Preprocessing, unwrap: Callable[[tf.Tensor], tf.Tensor] | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes and resizes every image on its own, so that one that fails leaves its neighbours as they are.

    Args:
        image_bytes: string [N], N >= 0: the encoded images.
        preprocessing: Size, crop and cap.
        unwrap: Takes the encoded image out of one element, for input that carries it inside something else. Where it
            fails, only that row does.

    Returns:
        status, int32 [N] (0 ok, 1 not a decodable image, 2 more pixels than allowed), and images, float32 [N, height,
        width, 3] in [0, 1], zeros where the status is not 0.
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
            # For every batch, TensorFlow looks twice at each node that a dataset's function could come to, run or not
            # (CapturedFunction::IsMultiDevice). Nearly all batches are nothing but JPEGs: they have datasets of their
            # own.
            others = tf.reduce_any(tf.strings.substr(image_bytes, 0, len(_JPEG)) != _JPEG)
            which += tf.where(others, 0, len(ways))
            ways += _each_for_itself(image_bytes, shape, only_jpeg)
        # One switch, and none inside another: of that, TensorFlow's loop optimizer would warn at every start.
        places, status, images = tf.switch_case(which, ways)

        def in_place() -> _Decoded:
            known = tf.tensor_scatter_nd_update(tf.fill([count], NOT_AN_IMAGE), places[:, None], status)
            return known, tf.scatter_nd(places[:, None], images, [count, *shape])

        # All there, in order: nothing to copy. This is the common case and the fast one.
        status, images = tf.cond(tf.shape(places)[0] == count, lambda: (status, images), in_place)
        return tf.ensure_shape(status, [None]), tf.ensure_shape(images, [None, *shape])


def _each_for_itself(
    elements: tf.Tensor, shape: tuple[int, int, int], decode: Callable[[tf.Tensor], _Decoded]
) -> list[Callable[[], _Rows]]:
    """The ways to have one element, and any other number of them, decoded one by one.

    Each gives the places of those n that could be decoded, int32 [n], in their order, their status, int32 [n], and
    images, float32 [n, *shape].
    """

    # A dataset's function does not take over the device around it, nor does a branch.
    def row_of(row: tf.Tensor, data: tf.Tensor) -> _Rows:
        with tf.device(DEVICE):
            return (row, *decode(data))

    def batch_of_one(row: tf.Tensor, data: tf.Tensor) -> _Rows:
        with tf.device(DEVICE):
            return tuple(value[None] for value in row_of(row, data))

    def rows() -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices((tf.range(tf.size(elements)), elements))

    def alone() -> _Rows:
        # Other threads, and a copy of the image into a batch, would cost more than they gain.
        with tf.device(DEVICE):
            return _first(rows().map(batch_of_one).ignore_errors(), shape)

    def together() -> _Rows:
        with tf.device(DEVICE):
            each = rows().map(row_of, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            return _first(_batched(each.ignore_errors(), tf.size(elements), shape), shape)

    return [alone, together]


def _first(batches: tf.data.Dataset, shape: tuple[int, int, int]) -> _Rows:
    """The only batch of a dataset: places, int32 [n], status, int32 [n], and images, float32 [n, *shape].

    `get_single_element` fails on an empty dataset, which is what no image, or none that could be decoded, leaves. Then
    n is 0.
    """
    none = tf.zeros([0], tf.int32)
    nothing = tf.data.Dataset.from_tensors((none, none, tf.zeros([0, *shape])))
    return batches.concatenate(nothing).take(1).get_single_element()


def _batched(rows: tf.data.Dataset, count: tf.Tensor, shape: tuple[int, int, int]) -> tf.data.Dataset:
    """`rows.batch(count)`, with the images copied by all threads at once instead of by one while the others wait.

    The operation has a switch for it, which TensorFlow's Python leaves off (`parallel_copy`).
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
    """Gives status and image of one string scalar; fails (InvalidArgumentError) where it is not a decodable image.

    Args:
        data: The file's bytes.
        preprocessing: Size, crop and cap.
        only_jpeg: Fail for the other formats too.
    """
    # A photograph may be turned on its side afterwards, so it has enough on either side.
    needed = math.ceil(max(preprocessing.height, preprocessing.width) * _SCALE_MARGIN / preprocessing.crop_fraction)
    # Only JPEG is inlined.
    decoders: list[Callable[[], _Picture]] = [lambda: jpeg.decode(data, needed)]
    if only_jpeg:
        # libjpeg refuses what is none.
        which, size = tf.constant(0), jpeg.size(data)
    else:
        head = _bytes.head(data)
        others: list[tuple[bytes, Callable[[], _Size], Callable[[], _Picture]]] = [
            (b"\x89PNG\r\n\x1a\n", lambda: png.size(head), lambda: png.decode(data, head)),
            (b"GIF8", lambda: gif.size(head), lambda: (gif.decode(data, head, preprocessing.max_pixels), _no_exif())),
            (b"BM", lambda: bmp.size(head), lambda: (bmp.decode(data, head), _no_exif())),
            (b"RIFF", lambda: webp.size(head), lambda: webp.decode(data, head)),
        ]
        known = _begins_with(head, [_JPEG, *(magic for magic, _, _ in others)])
        with tf.control_dependencies([_bytes.require(tf.reduce_any(known), "not an image of a known format")]):
            which = tf.argmax(known, output_type=tf.int32)
        size = tf.switch_case(which, [lambda: jpeg.size(data), *(seldom(size) for _, size, _ in others)])
        decoders += [seldom(decode) for _, _, decode in others]
    too_many = _pixels(size, preprocessing.height) > preprocessing.max_pixels
    # One black pixel stands for an image that is not to be decoded.
    decoders.append(lambda: (tf.zeros((1, 1, 3), tf.uint8), _no_exif()))
    image, exif_bytes = tf.switch_case(tf.where(too_many, len(decoders) - 1, which), decoders)
    status = tf.where(too_many, TOO_MANY_PIXELS, OK)
    return status, _model_input(image, exif.orientation(exif_bytes), preprocessing)


def _begins_with(head: tf.Tensor, magics: Sequence[bytes]) -> tf.Tensor:
    """Which of the signatures these first bytes have: bool [signatures]."""
    longest = max(len(magic) for magic in magics)
    octets = tf.constant([list(magic.ljust(longest, b"\0")) for magic in magics], tf.int64)
    beyond = [[place >= len(magic) for place in range(longest)] for magic in magics]
    return tf.reduce_all((head[:longest] == octets) | beyond, axis=1)


def _no_exif() -> tf.Tensor:
    return tf.constant(b"")


def _pixels(size: _Size, rows: int) -> tf.Tensor:
    """What an image of this height and width, int64 scalars, counts for: int64 scalar.

    The resize first brings the rows to `rows`, each still as long as it was. One row of a million pixels would take
    gigabytes, so an image that is lower than that counts as if it were as high.
    """
    # A header can claim sides of up to 2**32, and the product must not overflow.
    height, width = (tf.minimum(side, 2**31) for side in size)
    return tf.maximum(height, rows) * width


def _model_input(image: tf.Tensor, orientation: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Resizes uint8 [h, w, 3] as it lies, and turns it afterwards, because turning the small picture costs nothing."""
    target = tf.where(
        exif.swaps_axes(orientation),
        tf.constant([preprocessing.width, preprocessing.height]),
        tf.constant([preprocessing.height, preprocessing.width]),
    )
    resized = _resized(image, target, preprocessing.crop_fraction)
    return tf.ensure_shape(exif.apply(resized, orientation), (preprocessing.height, preprocessing.width, 3))


def _resized(image: tf.Tensor, target: tf.Tensor, crop_fraction: float) -> tf.Tensor:
    """Crops uint8 [h, w, 3] centrally, resizes it to `target` (bilinear, antialiased), scales it to float32 [0, 1]."""
    if crop_fraction < 1:
        image = _central_crop(image, crop_fraction)
    # The op takes uint8 as it is: a float copy of a large photograph would cost four times its memory.
    resized = tf.image.resize(image, target, method=tf.image.ResizeMethod.BILINEAR, antialias=True)
    return resized / 255.0


def _central_crop(image: tf.Tensor, fraction: float) -> tf.Tensor:
    """The middle of [h, w, c], at least one pixel, with the margins that `tf.image.central_crop` leaves."""
    shape = tf.shape(image)[:2]
    margin = tf.cast(tf.cast(shape, tf.float64) * ((1 - fraction) / 2), tf.int32)
    return image[margin[0] : shape[0] - margin[0], margin[1] : shape[1] - margin[1]]
