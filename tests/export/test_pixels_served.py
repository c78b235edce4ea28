"""The published model answers as the training library's own pipeline: Pillow, preprocess_input, predict."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hubserve_export import Options, export
from support.photographs import CHELSEA, COFFEE, GRACE_HOPPER
from support.session import LoadedVersion

# Keras 3 asks NumPy 2 for arrays of TensorFlow 2.20's variables, which do not know NumPy 2's copy=False.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SIZE = 32
FILES = [CHELSEA, COFFEE, GRACE_HOPPER]
MEAN = np.array([103.939, 116.779, 123.68], np.float32)
layers = keras.layers


def pixels(mode: str) -> np.ndarray:
    """0 to 255, resized by Pillow without rounding: float32 [3, SIZE, SIZE, channels]."""

    def resized(band: Image.Image) -> np.ndarray:
        return np.asarray(band.convert("F").resize((SIZE, SIZE), Image.Resampling.BILINEAR))

    images = [Image.open(file).convert("RGB").convert(mode) for file in FILES]
    return np.stack([np.stack([resized(band) for band in image.split()], -1) for image in images])


def network(first: Callable[[Any], Any], channels: int = 3, dtype: str = "float32") -> keras.Model:
    keras.utils.set_random_seed(1)
    images = keras.Input((SIZE, SIZE, channels), dtype=dtype)
    x = layers.Conv2D(8, 5, strides=3, activation="relu")(first(images))
    return keras.Model(images, layers.Dense(4, activation="softmax")(layers.Flatten()(x)))


CASES = {
    "caffe, undone inside": (
        lambda: network(lambda x: keras.ops.flip(x + MEAN, axis=-1) / 255),
        lambda: keras.applications.resnet50.preprocess_input(pixels("RGB")),
        {},
    ),
    "caffe, said": (
        lambda: network(lambda x: layers.Rescaling(1 / 100)(layers.Dense(3)(x))),
        lambda: keras.applications.resnet50.preprocess_input(pixels("RGB")),
        {"preprocessing": "caffe"},
    ),
    "augmentation and a range inside": (
        lambda: network(lambda x: layers.Rescaling(1 / 127.5, offset=-1)(layers.RandomFlip()(x))),
        lambda: pixels("RGB"),
        {},
    ),
    "luminance": (
        lambda: network(lambda x: layers.Rescaling(1 / 255)(x), channels=1),
        lambda: pixels("L"),
        {},
    ),
    "8 bits of luminance": (
        lambda: network(lambda x: layers.Rescaling(1 / 255)(x), channels=1, dtype="uint8"),
        lambda: np.rint(pixels("L")).astype(np.uint8),
        {},
    ),
}

# Each costs an export.
IN_ANY_RUN = ("caffe, undone inside",)


@pytest.mark.parametrize(
    "case", [name if name in IN_ANY_RUN else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_the_scores_are_those_of_predict(tmp_path: Path, case: str) -> None:
    make, given, said = CASES[case]
    model, images = make(), given()
    model.save(tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    options = Options(
        str(tmp_path / "model.keras"), tmp_path / "base", labels=tmp_path / "labels.txt", batch_sizes=(1,)
    )
    published = export(Options(**{**options.__dict__, **said}))
    version = LoadedVersion(published.folder)
    answers = [version.run("serving_default", image_bytes=[file.read_bytes()]) for file in FILES]
    scores = np.concatenate([np.take_along_axis(one["scores"], one["class_ids"].argsort(1), 1) for one in answers])
    expected = np.asarray(model(tf.constant(images), training=False))
    # Rounding to 8 bits may fall to the other side.
    assert np.abs(scores - expected).max() < (2e-3 if images.dtype == np.uint8 else 1e-4)
    assert np.ptp(expected, axis=0).max() > 0.02
