"""Each form in which Keras saves a model: its export answers as `model.predict` does."""

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from hubserve_export import ModelError, SourceError, _entry, _keras_2, _saved_model
from hubserve_export._sources import open_source

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SIZE = 32
IMAGES = np.random.default_rng(0).uniform(size=(2, SIZE, SIZE, 3)).astype(np.float32)


def answers(model: Path, output_name: str | None = None, images: np.ndarray = IMAGES) -> np.ndarray:
    with open_source(str(model)) as source:
        entry, _ = _entry.choose(source, _saved_model.load(source), None, output_name)
        return entry.call(tf.cast(images, entry.dtype)).numpy()


def head(library: Any, x: Any, classes: int = 3, **named: Any) -> Any:
    return library.layers.Dense(classes, **named)(library.layers.GlobalAveragePooling2D()(x))


def augmented(*layers: keras.layers.Layer) -> keras.Model:
    """Augmentation, and all that is on in training alone."""
    images = keras.Input((SIZE, SIZE, 3))
    x = keras.Sequential(list(layers))(images)
    x = keras.layers.BatchNormalization(momentum=0.5)(keras.layers.Conv2D(4, 3)(x))
    x = keras.layers.SpatialDropout2D(0.5)(keras.layers.GaussianNoise(0.5)(x))
    model = keras.Model(images, head(keras, keras.layers.Dropout(0.5)(x)))
    model.compile("sgd", "mse")
    # The averages of batch norm move, so that training and inference give other answers.
    model.train_on_batch(IMAGES, np.zeros([2, 3]))
    return model


@pytest.mark.parametrize(
    "layers",
    [
        ["RandomFlip"],
        ["RandomGrayscale"],
        ["RandomFlip", "RandomRotation", "RandomZoom", "RandomContrast", "RandomBrightness", "RandomTranslation"],
    ],
    ids=lambda layers: "+".join(layers),
)
def test_augmentation_is_off(tmp_path: Path, layers: list[str]) -> None:
    arguments = {
        "RandomFlip": ("horizontal_and_vertical",),
        "RandomGrayscale": (0.9,),
        "RandomTranslation": (0.3, 0.3),
    }
    model = augmented(*(getattr(keras.layers, name)(*arguments.get(name, (0.4,))) for name in layers))
    model.save(tmp_path / "m.keras")
    assert answers(tmp_path / "m.keras") == pytest.approx(model.predict(IMAGES, verbose=0), abs=1e-5)


def two_heads() -> keras.Model:
    images = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(4, 3)(images)
    return keras.Model(images, [head(keras, x, 5, name="age"), head(keras, x, 2, name="gender")])


def test_outputs_of_a_list_have_the_names_of_their_layers(tmp_path: Path) -> None:
    model = two_heads()
    model.save(tmp_path / "m.keras")
    expected = model.predict(IMAGES, verbose=0)
    assert answers(tmp_path / "m.keras", "gender") == pytest.approx(expected[1], abs=1e-5)
    with pytest.raises(
        ModelError, match=r"age float32 \[N, 5\], gender float32 \[N, 2\]; choose one with `output_name`"
    ):
        answers(tmp_path / "m.keras")


def test_outputs_of_a_dict_have_its_names(tmp_path: Path) -> None:
    heads = two_heads()
    model = keras.Model(heads.input, {"years": heads.outputs[0], "pair": heads.outputs[1]})
    model.save(tmp_path / "m.keras")
    assert answers(tmp_path / "m.keras", "years") == pytest.approx(model.predict(IMAGES, verbose=0)["years"], abs=1e-5)


def test_a_model_of_two_inputs_is_refused_by_their_names(tmp_path: Path) -> None:
    images, other = keras.Input((SIZE, SIZE, 3), name="picture"), keras.Input((4,), name="metadata")
    x = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(images), other])
    keras.Model({"picture": images, "metadata": other}, keras.layers.Dense(3)(x)).save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=r"takes metadata \(float32 \[N, 4\]\) besides the images"):
        answers(tmp_path / "m.keras")


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_inputs_and_layers_of_other_dtypes(tmp_path: Path, dtype: str, policy: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        images = keras.Input((SIZE, SIZE, 3), dtype=dtype)
        x = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(images))
        model = keras.Model(images, head(keras, x))
        model.save(tmp_path / "m.keras")
        given = (255 * IMAGES).astype(dtype)
        expected = model.predict(given, verbose=0).astype(np.float32)
        found = answers(tmp_path / "m.keras", images=given)
    finally:
        keras.config.set_dtype_policy(before)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=2e-3)


def test_a_folder_that_keras_saved_unzipped_is_a_source(tmp_path: Path) -> None:
    model = augmented(keras.layers.RandomFlip())
    model.save(tmp_path / "m", zipped=False)
    assert answers(tmp_path / "m") == pytest.approx(model.predict(IMAGES, verbose=0), abs=1e-5)


def of_keras_2() -> Any:
    """The form of Teachable Machine's models: Sequential in Sequential, with a MobileNet inside."""
    layers = tf_keras.layers
    images = tf_keras.Input((SIZE, SIZE, 3))
    x = layers.DepthwiseConv2D(3)(layers.Conv2D(4, 3)(layers.ZeroPadding2D(1)(images)))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    net = tf_keras.Model(images, layers.Add()([x, layers.Conv2D(4, 1)(x)]))
    model = tf_keras.Sequential(
        [
            tf_keras.Sequential([net, layers.GlobalAveragePooling2D()]),
            tf_keras.Sequential([layers.Dense(10, activation="relu"), layers.Dense(3, activation="softmax")]),
        ]
    )
    model(IMAGES)
    return model


@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
@pytest.mark.parametrize("installed", [True, False], ids=["tf_keras", "Keras 3 alone"])
def test_a_file_of_keras_2_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool, suffix: str
) -> None:
    monkeypatch.setattr(_keras_2, "is_there", lambda: installed)
    model = of_keras_2()
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(tmp_path / f"m{suffix}")
    found = answers(tmp_path / f"m{suffix}")
    assert found == pytest.approx(model.predict(IMAGES, verbose=0), abs=1e-5)


@pytest.mark.parametrize("installed", [True, False], ids=["tf_keras", "Keras 3 alone"])
def test_augmentation_in_a_file_of_keras_2_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr(_keras_2, "is_there", lambda: installed)
    layers = tf_keras.layers
    images = tf_keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(2.0)(layers.RandomRotation(0.4)(layers.RandomFlip()(images)))
    model = tf_keras.Model(images, head(tf_keras, layers.Dropout(0.5)(layers.Conv2D(4, 3)(x))))
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(tmp_path / "m.h5")
    assert answers(tmp_path / "m.h5") == pytest.approx(model.predict(IMAGES, verbose=0), abs=1e-5)


def test_a_keras_file_of_keras_2_is_read_by_tf_keras(tmp_path: Path) -> None:
    model = of_keras_2()
    model.save(tmp_path / "m.keras")
    assert answers(tmp_path / "m.keras") == pytest.approx(model.predict(IMAGES, verbose=0), abs=1e-5)


def test_an_h5_file_of_keras_3_is_read(tmp_path: Path) -> None:
    # Keras itself cannot save augmentation in this format.
    images = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(images, head(keras, keras.layers.DepthwiseConv2D(3)(images)))
    model.save(tmp_path / "m.h5")
    assert answers(tmp_path / "m.h5") == pytest.approx(model.predict(IMAGES, verbose=0), abs=1e-5)


def test_an_h5_file_that_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_keras_2, "is_there", lambda: False)
    images = tf_keras.Input((SIZE, SIZE, 3))
    model = tf_keras.Model(images, head(tf_keras, tf_keras.layers.Lambda(lambda x: 2 * x)(images)))
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(tmp_path / "lambda.h5")
    with pytest.raises(SourceError, match=r"contains Python code \(Lambda\), which is not run"):
        answers(tmp_path / "lambda.h5")
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(SourceError, match=r"holds only weights.*save the whole model, model\.save"):
        answers(tmp_path / "m.weights.h5")
    (tmp_path / "cut.h5").write_bytes((tmp_path / "lambda.h5").read_bytes()[:1000])
    with pytest.raises(SourceError, match="is not an HDF5 file, or is damaged"):
        answers(tmp_path / "cut.h5")
    with pytest.warns(UserWarning, match="HDF5"):
        of_keras_2().save(tmp_path / "own.h5")
    with h5py.File(tmp_path / "own.h5", "r+") as opened:
        opened.attrs["model_config"] = opened.attrs["model_config"].replace('"ReLU"', '"OwnLayer"')
    with pytest.raises(SourceError, match=r"Keras' old format, and cannot .*pip install tf_keras.*model\.save"):
        answers(tmp_path / "own.h5")


def test_a_preset_without_kerashub_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"module": "keras_hub.src.models.vit", "class_name": "ViTBackbone"})
    )
    original = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "keras_hub":
            raise ImportError("No module named 'keras_hub'")
        return original(name, *arguments, **named)

    monkeypatch.delitem(sys.modules, "keras_hub", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        SourceError, match=r"is a model of KerasHub, which is not installed here .*pip install keras-hub"
    ):
        answers(tmp_path)
