"""The description of preprocessing: presets, other words for the same, files, and refused values."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from hubserve_export import PRESETS, Options, Preprocessing, PreprocessingError
from hubserve_export._pixels import model_input
from hubserve_export._preprocessing import preset_of, resolve


def said(**options) -> dict:
    return Options("model", Path("out"), **options).said_preprocessing()


PIXELS = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("preset", "mode"), [("caffe", "caffe"), ("torch", "torch"), ("tf", "tf")], ids=["caffe", "torch", "tf"]
)
def test_a_preset_is_what_keras_calls_so(preset: str, mode: str) -> None:
    expected = keras.applications.imagenet_utils.preprocess_input(PIXELS.copy(), mode=mode, data_format="channels_last")
    found = model_input(tf.constant(PIXELS / 255), Preprocessing(6, 5, **PRESETS[preset]))
    assert np.abs(found.numpy() - np.asarray(expected)).max() < 2e-5 * max(1, np.abs(expected).max())


def test_unit_is_passed_on_bit_for_bit() -> None:
    assert np.array_equal(model_input(tf.constant(PIXELS / 255), Preprocessing(6, 5)), PIXELS / 255)


def test_eight_bits_luminance_and_channels_first() -> None:
    bits = model_input(tf.constant(PIXELS / 255), Preprocessing(6, 5, **PRESETS["raw"], dtype="uint8"))
    assert bits.dtype == tf.uint8
    assert np.array_equal(bits, PIXELS)
    gray = model_input(tf.constant(PIXELS / 255), Preprocessing(6, 5, channels="luminance", layout="NCHW"))
    assert gray.shape == (2, 1, 6, 5)
    assert np.allclose(gray[:, 0], PIXELS @ [0.299, 0.587, 0.114] / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "preset"),
    [
        ({"pixel_range": (0, 1)}, "unit"),
        ({"pixel_range": (-1, 1)}, "tf"),
        ({"mean": (0.5,), "std": (0.5,)}, "tf"),
        ({"pixel_range": (0, 255)}, "raw"),
        ({"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}, "torch"),
        ({"pixel_range": (0, 255), "mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}, "torch"),
        ({"pixel_range": (0, 255), "mean": (103.939, 116.779, 123.68), "channels": "bgr"}, "caffe"),
        ({"preprocessing": "caffe"}, "caffe"),
        ({"preprocessing": {"scale": 1 / 127.5, "offset": -1}}, "tf"),
    ],
    ids=str,
)
def test_other_words_for_a_preset(options: dict, preset: str) -> None:
    assert preset_of(Preprocessing(1, 1, **said(**options))) == preset


def test_a_file_and_options_make_one_description(tmp_path: Path) -> None:
    file = tmp_path / "preprocessing.json"
    file.write_text(json.dumps({"preset": "torch", "resize": "crop", "crop_fraction": 0.875}))
    fields = said(preprocessing=file, interpolation="bicubic", resize="crop")
    assert fields == {**PRESETS["torch"], "resize": "crop", "crop_fraction": 0.875, "interpolation": "bicubic"}


@pytest.mark.parametrize("text", ['{"scale": NaN}', '{"mean": 1e400}', "[" * 100_000, "{", "\x00"])
def test_a_file_that_is_not_json_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "preprocessing.json"
    file.write_text(text)
    with pytest.raises(PreprocessingError, match="cannot be read"):
        said(preprocessing=file)


def test_the_preprocessing_of_a_manifest_is_a_description(tmp_path: Path) -> None:
    described = Preprocessing(8, 9, resize="pad", pad_color=(114, 114, 114), **PRESETS["tf"])
    file = tmp_path / "preprocessing.json"
    file.write_text(json.dumps(described.__dict__))
    assert Preprocessing(**said(preprocessing=file)) == described


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"preprocessing": "coffee"},
            "`preprocessing` is 'coffee'; give one of unit, tf, caffe, torch, raw, or a JSON",
        ),
        ({"preprocessing": "missing.json"}, "the preprocessing file missing.json cannot be read"),
        ({"preprocessing": {"size": 3}}, "'size', which is not a known key; the keys are height, width"),
        ({"preprocessing": {"preset": "best"}}, "names the preset 'best'; the presets are unit"),
        ({"preprocessing": "caffe", "pixel_range": (0, 1)}, "names the preset caffe, and also gives pixel_range"),
        ({"preprocessing": {"scale": 2}, "mean": (0.5,)}, "gives scale, and also mean, which mean the same"),
        ({"preprocessing": {"resize": "crop"}, "resize": "pad"}, "`resize` is pad, and .* says crop; leave one"),
        ({"mean": (1, 2)}, r"`mean` has 2 numbers, 1, 2; it must have 1 or 3, one for each channel"),
        ({"channels": "luminance", "mean": (0.1, 0.2, 0.3)}, "`mean` has 3 numbers.*must have 1"),
        ({"mean": (103.9, 116.8, 123.7)}, "outside the pixels' range from 0 to 1; also give `pixel_range`"),
        ({"std": (0, 1, 1)}, "`std` is 0, 1, 1 in .*; every number must be above 0"),
        ({"mean": (float("nan"),)}, "`mean` is nan; it must be a number"),
        ({"pixel_range": (1, 0)}, "`pixel_range` is 1, 0 in .*; the first number is the value of black"),
        ({"crop_fraction": 0}, "`crop_fraction` is 0; it must be above 0"),
        ({"resize": "shrink"}, "`resize` is 'shrink'; it must be one of stretch, crop"),
        ({"channels": "rgba"}, "`channels` is 'rgba'"),
        ({"pad_color": (0, 0, 300)}, "`pad_color` is 0, 0, 300; each number must be from 0 to 255"),
        ({"preprocessing": {"antialias": 1}}, "`antialias` is 1; it must be true or false"),
        ({"preprocessing": {"scale": 0}}, "`scale` is 0, so that all images would be the same"),
        ({"input_dtype": "uint8", "pixel_range": (0, 1)}, "`dtype` is uint8, which only holds pixels from 0 to 255"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_is_refused_with_both_sides(options: dict, says: str) -> None:
    with pytest.raises(PreprocessingError, match=says):
        said(**options)


def test_a_file_that_is_not_an_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(PreprocessingError, match="must hold a JSON object, and holds a list"):
        said(preprocessing=tmp_path / "list.json")


def test_nothing_said_is_nothing() -> None:
    assert resolve({"mean": None, "resize": None}) == {}
