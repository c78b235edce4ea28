"""Every way to resize gives the pixels of the library that defines it."""

import io
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from PIL import Image

from hubserve_export import Preprocessing
from hubserve_export.decode import filtered, resize
from hubserve_export.decode.batch import decode_batch

Array = npt.NDArray[np.float32]
Filter = Image.Resampling
HEIGHT, WIDTH = 40, 56
# Sides of all parities, smaller and larger than the target, of either orientation.
SIZES = [(123, 87), (64, 201), (33, 30), (57, 57), (1, 90)]


def photograph(height: int, width: int) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(height * width).normal(size=(height, width, 3))
    rows, columns = np.mgrid[0:height, 0:width]
    return np.clip(128 + 60 * np.sin(rows / 9 + columns / 13)[..., None] + 40 * noise, 0, 255).astype(np.uint8)


def resized(image: npt.NDArray[np.uint8], preprocessing: Preprocessing) -> Array:
    target = (tf.constant(preprocessing.height), tf.constant(preprocessing.width))
    return resize.resized(tf.constant(image), target, preprocessing).numpy() * 255


def pillow(image: npt.NDArray[np.uint8], height: int, width: int, how: Filter) -> Array:
    """Pillow's resize without its rounding to 8 bits."""
    bands = [Image.fromarray(image[..., band].astype(np.float32)).resize((width, height), how) for band in range(3)]
    return np.stack([np.asarray(band) for band in bands], -1)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("name", "how"), [("bilinear", Filter.BILINEAR), ("bicubic", Filter.BICUBIC), ("lanczos3", Filter.LANCZOS)]
)
def test_the_shortest_side_is_resized_and_the_centre_cut_out(size: tuple[int, int], name: str, how: Filter) -> None:
    image, side = photograph(*size), 40
    shortest = int(side / 0.8)
    scale = shortest / min(size)
    whole = [shortest if length == min(size) else int(shortest * length / min(size)) for length in size]
    top, left = (round((length - side) / 2) for length in whole)
    expected = np.clip(pillow(image, *whole, how), 0, 255)[top : top + side, left : left + side]
    found = resized(image, Preprocessing(side, side, 0.8, resize="crop", interpolation=name))
    # Pillow counts places in double precision.
    assert np.abs(found - expected).max() < (0.25 if max(whole) < 1000 else 2), scale


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("way", ["crop_to_aspect_ratio", "pad_to_aspect_ratio"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_keras_ways_are_those_of_its_resizing_layer(
    size: tuple[int, int], way: str, antialias: bool, interpolation: str
) -> None:
    image = photograph(*size)
    layer = keras.layers.Resizing(HEIGHT, WIDTH, interpolation, antialias=antialias, **{way: True})
    expected = np.asarray(layer(image[None].astype(np.float32)))[0]
    found = resized(image, Preprocessing(HEIGHT, WIDTH, resize=way, antialias=antialias, interpolation=interpolation))
    # Keras does not cut off what bicubic makes beyond black and white.
    assert np.abs(found - expected).max() < 0.01


def test_a_type_of_8_bits_holds_nothing_beyond_black_and_white() -> None:
    stripes = np.repeat(np.tile(np.uint8([0, 255, 255, 0]), (8, 10))[..., None], 3, axis=-1)
    ways = {"resize": "crop_to_aspect_ratio", "interpolation": "bicubic", "antialias": False}
    beyond = resized(stripes, Preprocessing(HEIGHT, WIDTH, **ways))
    assert beyond.min() < 0
    assert beyond.max() > 255
    within = resized(stripes, Preprocessing(HEIGHT, WIDTH, **ways, scale=(1.0,), dtype="uint8"))
    assert (within.min(), within.max()) == (0, 255)


@pytest.mark.parametrize("color", [(0, 0, 0), (114, 10, 200), (127.5, 0, 1)], ids=str)
def test_bars_that_come_before_the_resize_have_the_colour_asked_for(color: tuple[float, float, float]) -> None:
    image = photograph(40, 20)
    found = resized(image, Preprocessing(40, 40, resize="pad_to_aspect_ratio", pad_color=color))
    assert np.allclose(found[:, :9], color, atol=1e-3)
    assert np.allclose(found[:, 31:], color, atol=1e-3)
    assert np.allclose(found[:, 10:30], image, atol=1e-3)


@pytest.mark.parametrize("size", SIZES[:-1], ids=str)
def test_a_letterbox_is_that_of_tensorflow_in_the_colour_asked_for(size: tuple[int, int]) -> None:
    image = photograph(*size)
    expected = tf.image.resize_with_pad(image, HEIGHT, WIDTH, antialias=True).numpy()
    found = resized(image, Preprocessing(HEIGHT, WIDTH, resize="pad"))
    assert np.abs(found - expected).max() < 0.01
    gray = resized(image, Preprocessing(HEIGHT, WIDTH, resize="pad", pad_color=(114, 10, 200)))
    bars = np.all(tf.image.resize_with_pad(np.full_like(image, 255), HEIGHT, WIDTH).numpy() == 0, axis=-1)
    assert np.allclose(gray[bars], (114, 10, 200), atol=1e-3)
    assert np.allclose(gray[~bars], found[~bars], atol=1e-3)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("name", "antialias", "method"),
    [
        ("nearest", True, "nearest"),
        ("area", True, "area"),
        ("bilinear", False, "bilinear"),
        ("bicubic", False, "bicubic"),
    ],
)
def test_interpolations_without_antialiasing_are_tensorflows(
    size: tuple[int, int], name: str, antialias: bool, method: str
) -> None:
    image = photograph(*size)
    expected = tf.image.resize(image.astype(np.float32), (HEIGHT, WIDTH), method=method).numpy()
    found = resized(image, Preprocessing(HEIGHT, WIDTH, interpolation=name, antialias=antialias))
    assert np.abs(found - expected).max() < 0.01


@pytest.mark.parametrize("way", ["crop", "pad", "crop_to_aspect_ratio", "pad_to_aspect_ratio"])
def test_an_image_is_turned_upright_before_it_is_cut(way: str) -> None:
    image = photograph(90, 61)
    upright = np.rot90(image, -1)
    exif = Image.Exif()
    exif[0x0112] = 6
    preprocessing = Preprocessing(HEIGHT, WIDTH, resize=way)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", exif=exif)
    status, images = decode_batch(tf.constant([file.getvalue()]), preprocessing)
    assert status.numpy().tolist() == [0]
    assert np.abs(images.numpy()[0] * 255 - resized(np.ascontiguousarray(upright), preprocessing)).max() < 0.01


def test_bars_count_as_pixels() -> None:
    line = np.zeros((1, 5000, 3), np.uint8)
    data = tf.io.encode_png(line).numpy()
    status, _ = decode_batch(
        tf.constant([data]), Preprocessing(8, 8, max_pixels=1_000_000, resize="pad_to_aspect_ratio")
    )
    assert status.numpy().tolist() == [2]


TRIANGLE = filtered.Filter("triangle", antialias=True)
FILTERED = [
    {"interpolation": "bilinear"},
    {"interpolation": "bicubic"},
    {"interpolation": "lanczos3", "antialias": False},
    {"resize": "crop", "crop_fraction": 0.8},
    {"resize": "crop", "interpolation": "bicubic", "antialias": False},
]


@pytest.mark.parametrize("size", [*SIZES, (1, 1), (300, 7), (7, 300)], ids=str)
@pytest.mark.parametrize("ways", FILTERED, ids=str)
def test_one_axis_at_a_time_gives_the_bits_of_both_at_once(
    size: tuple[int, int], ways: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    preprocessing = Preprocessing(HEIGHT, WIDTH, **ways)
    one = resized(photograph(*size), preprocessing)
    monkeypatch.setattr(filtered, "MOST_NUMBERS", 0)
    assert np.array_equal(one, resized(photograph(*size), preprocessing))


def test_only_a_wide_image_is_resized_along_both_axes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    most = filtered.MOST_NUMBERS // (3 * HEIGHT)
    lines = [np.random.default_rng(0).integers(1, 256, (2, most + more, 3), np.uint8) for more in (0, 1)]
    for line in lines:
        expected = tf.image.resize(line, (HEIGHT, WIDTH), antialias=True).numpy()
        assert np.array_equal(filtered.resized(tf.constant(line), (HEIGHT, WIDTH), TRIANGLE), expected)
    monkeypatch.setattr(filtered, "_both_axes", lambda *_: tf.zeros((HEIGHT, WIDTH, 3)))
    narrow, wide = (filtered.resized(tf.constant(line), (HEIGHT, WIDTH), TRIANGLE).numpy() for line in lines)
    assert narrow.any()
    assert not wide.any()
