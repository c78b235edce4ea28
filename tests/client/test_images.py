import io
import os
import pickle
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

from hubserve import Client, ImageError, UsageError
from hubserve._images.encode import encode
from support.serving_messages import needs_tensorflow


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


def test_files_and_bytes_go_as_they_are(photograph: Path):
    data = photograph.read_bytes()
    named, unnamed = photograph.open("rb"), io.BytesIO(data)
    with named:
        images = [str(photograph), photograph, data, bytearray(data), memoryview(data), named, unnamed]
        encoded = [encode(index, image) for index, image in enumerate(images)]

    assert [image.data for image in encoded] == [data] * 7
    path = str(photograph)
    assert [image.source for image in encoded] == [path, path, "image 2", "image 3", "image 4", path, "image 6"]


@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)], ids=str)
def test_an_array_is_sent_as_png_of_the_same_pixels(photograph: Path, channels: tuple[int, ...]):
    picture = np.asarray(PIL.Image.open(photograph).convert({(): "L", (1,): "L", (3,): "RGB", (4,): "RGBA"}[channels]))
    array = picture.reshape(picture.shape[:2] + channels)

    data = encode(0, array).data

    np.testing.assert_array_equal(pixels(data), picture)


@needs_tensorflow
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_tensorflow_reads_the_png_of_an_array(photograph: Path, mode: str):
    import tensorflow as tf

    array = np.asarray(PIL.Image.open(photograph).convert(mode))
    np.testing.assert_array_equal(tf.io.decode_png(encode(0, array).data), array.reshape(*array.shape[:2], -1))


def test_a_view_with_strides_and_a_single_pixel_are_arrays_too(photograph: Path):
    mirrored = np.asarray(PIL.Image.open(photograph))[::2, ::-3]

    np.testing.assert_array_equal(pixels(encode(0, mirrored).data), mirrored)
    np.testing.assert_array_equal(pixels(encode(0, np.full((1, 1, 3), 9, np.uint8)).data), [[[9, 9, 9]]])


RAMP = np.linspace(0, 65535, 64 * 64).reshape(64, 64)


@pytest.mark.parametrize(
    "image",
    [
        RAMP.astype(np.uint16),
        RAMP.astype(">u2"),
        RAMP / 65535,
        (RAMP / 65535).astype(np.float16),
        PIL.Image.fromarray(RAMP.astype(np.uint16)),
        PIL.Image.frombytes("I;16B", (64, 64), RAMP.astype(">u2").tobytes()),
        PIL.Image.fromarray(RAMP.astype(np.int32)),
        PIL.Image.fromarray((RAMP / 65535).astype(np.float32)),
    ],
    ids=["uint16", ">u2", "float64", "float16", "I;16", "I;16B", "I", "F"],
)
def test_a_deep_ramp_is_scaled_and_not_clipped(image):
    sent = pixels(encode(0, image).data)
    levels = sent >> 8 if sent.dtype == np.uint16 else sent

    assert (levels.min(), levels.max()) == (0, 255)
    assert abs(levels.mean() - 127.5) < 0.1
    assert np.abs(levels - RAMP / 257).max() <= 1


def test_black_and_white_is_an_array_of_bools():
    np.testing.assert_array_equal(pixels(encode(0, np.eye(8, dtype=bool)).data), 255 * np.eye(8))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB", "RGBX", "RGBa", "PA"])
def test_modes_that_png_does_not_have_show_the_same_colours(photograph: Path, mode: str):
    picture = PIL.Image.open(photograph).convert("RGB")
    if mode == "LAB":
        profiles = PIL.ImageCms.createProfile("sRGB"), PIL.ImageCms.createProfile("LAB")
        image = PIL.ImageCms.profileToProfile(picture, *profiles, outputMode="LAB")
    else:
        picture = picture.quantize() if mode == "PA" else picture
        image = picture.convert("RGBA").convert(mode) if mode == "RGBa" else picture.convert(mode)

    difference = pixels(encode(0, image).data)[..., :3].astype(int) - np.asarray(picture.convert("RGB"))

    assert np.abs(difference).mean() < 1.5


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_pillow_image_is_sent_as_png_of_the_same_pixels(photograph: Path, mode: str):
    image = PIL.Image.open(photograph).convert(mode)

    sent = PIL.Image.open(io.BytesIO(encode(0, image).data))

    assert sent.mode == mode
    np.testing.assert_array_equal(np.asarray(sent.convert("RGBA")), np.asarray(image.convert("RGBA")))


def test_a_pillow_image_is_turned_upright_as_the_model_turns_its_file(sideways_photograph: Path, photograph: Path):
    with PIL.Image.open(sideways_photograph) as image, PIL.Image.open(photograph) as upright:
        sent = PIL.Image.open(io.BytesIO(encode(0, image).data))

        assert sent.size == upright.size != image.size
        difference = np.asarray(sent, int) - np.asarray(upright, int)
    assert np.abs(difference).mean() < 5


def test_a_pillow_image_keeps_the_name_of_its_file(photograph: Path):
    with PIL.Image.open(photograph) as image:
        assert encode(3, image).source == str(photograph)
        assert encode(3, image.copy()).source == "image 3"


def damaged(photograph: Path) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(photograph.with_name("rocket.jpg").read_bytes()[:5000]))


def at_its_end(photograph: Path) -> io.BytesIO:
    stream = io.BytesIO()
    stream.write(photograph.read_bytes())
    return stream


def closed(photograph: Path) -> io.BufferedReader:
    with photograph.open("rb") as file:
        return file


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda photograph: photograph.with_name("nowhere.png"), ["nowhere.png: No such file"]),
        (lambda photograph: photograph.parent, ["data: Is a directory"]),
        (lambda _: "a\0b.png", ["null"]),
        (closed, ["chelsea.png", "closed file"]),
        (damaged, ["image 5", "truncated"]),
        (lambda photograph: photograph.open(encoding="latin-1"), ["chelsea.png", "text", '"rb"']),
        (lambda _: np.zeros((8, 8, 2), np.uint8), ["not uint8 [8, 8, 2]"]),
        (lambda _: np.zeros((0, 8, 3), np.uint8), ["not uint8 [0, 8, 3]"]),
        (lambda _: np.zeros((3, 8, 9), np.uint8), ["not uint8 [3, 8, 9]", "numpy.moveaxis(array, 0, -1)"]),
        (lambda _: np.zeros((8, 8, 3), np.int64), ["not int64 [8, 8, 3]", 'array.astype("uint8")']),
        (lambda _: np.full((8, 8), 255.0), ["from 0 to 255", "scale them to 0 to 1", 'astype("uint8")']),
        (lambda _: np.full((8, 8), -1.0), ["from -1 to 0"]),
        (lambda _: np.full((8, 8), np.nan), ["NaN"]),
        (lambda _: np.full((8, 8), 255, np.uint16), ["end at 255", "nearly black", 'array.astype("uint8")']),
        (lambda _: np.full((8, 8), 4000, np.uint16), ["end at 4000", "multiply them by 16"]),
        (lambda _: np.ma.masked_less(np.arange(64, dtype=np.uint8).reshape(8, 8), 9), ["masked", "array.filled(0)"]),
        (lambda _: PIL.Image.fromarray(np.full((8, 8), 200, np.int32)), ["end at 200", 'image.convert("L")']),
        (lambda _: PIL.Image.fromarray(np.full((8, 8), 70_000, np.int32)), ["from 0 to 70000", "fit 16 bits"]),
        (lambda _: PIL.Image.new("L", (8, 8), 9).convert("F"), ["from 0 to 9", 'image.convert("L")']),
        (lambda _: io.BytesIO(), ["it is empty, 0 bytes"]),
        (at_its_end, ["nothing is left to read", "seek(0)"]),
        (lambda _: 42, ["type int is not an image", "a path, bytes"]),
        (lambda _: [[1, 2], [3, 4]], ["type list is not an image", "numpy.asarray(image)"]),
        (lambda _: np.zeros((1, 8, 8, 3), np.uint8), ["not uint8 [1, 8, 8, 3]", "array[0]"]),
        (lambda _: np.array(b"bytes", object), ["not object []", "array.item()"]),
        (lambda _: PIL.Image.fromarray(np.full((8, 8), 4000, np.uint16)), ["end at 4000", "multiply them by 16"]),
        (lambda _: PIL.Image.fromarray(np.full((8, 8), 200, np.uint16)), ["end at 200", 'image.convert("L")']),
    ],
)
def test_an_image_that_cannot_be_read_says_which_and_why(make, words: list[str], photograph: Path):
    image = make(photograph)

    encoded = encode(5, image)

    assert isinstance(encoded.error, ImageError)
    assert encoded.data == b""
    assert all(word in str(encoded.error) for word in words), str(encoded.error)
    assert "\n" not in str(encoded.error)
    assert len(str(encoded.error)) < 400
    if hasattr(image, "close"):
        image.close()


@pytest.mark.parametrize(
    "image",
    ["cat.jpg", Path("cat.jpg"), b"bytes", io.BytesIO(), np.zeros((8, 8, 3), np.uint8), PIL.Image.new("L", (8, 8))],
    ids=lambda image: type(image).__name__,
)
def test_a_single_image_in_place_of_several_is_refused_at_once(client: Client, image: object):
    with pytest.raises(UsageError, match=r"write \[image\]"):
        client.classify(image)


def test_a_stack_of_arrays_is_several_images(client: Client):
    stack = np.zeros((3, 8, 8, 3), np.uint8)

    assert [result.index for result in client.classify(stack)] == [0, 1, 2]


def test_a_result_with_its_error_can_go_to_another_process(client: Client):
    (result,) = client.classify(["nowhere.jpg"])

    copy = pickle.loads(pickle.dumps(result))  # noqa: S301

    assert copy.source == "nowhere.jpg"
    assert type(copy.exception) is ImageError
    assert copy.error == result.error


def test_a_pipe_without_a_writer_is_not_an_image_and_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jpg")

    assert "it is not a regular file" in str(encode(0, tmp_path / "pipe.jpg").error)
