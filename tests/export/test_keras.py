"""A Keras 3 model in a `.keras` file: exported, it answers as `model.predict` does; what is not one is refused."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from hubserve_export import Options, SourceError, export
from hubserve_export._error_words import first_sentence
from hubserve_export._sources import open_source
from hubserve_model import manifest as manifests
from models.pnasnet import random_images
from support.decoding import decode
from support.graphs import training
from support.photographs import CHELSEA, COFFEE
from support.session import LoadedVersion

# Keras 3 asks NumPy 2 for arrays of TensorFlow 2.20's variables, which do not know NumPy 2's copy=False.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SIZE = 32
PHOTOGRAPHS = [CHELSEA.read_bytes(), COFFEE.read_bytes()]


class OwnLayer(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs


def classifier(*layers: keras.layers.Layer) -> keras.Model:
    """Takes pixels from 0 to 255 and gives probabilities, as models with their preprocessing inside do."""
    images = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.BatchNormalization(momentum=0.5)(keras.layers.Conv2D(8, 5, strides=4)(x))
    for layer in (*layers, keras.layers.GlobalMaxPooling2D(), keras.layers.Dropout(0.5)):
        x = layer(x)
    return keras.Model(images, keras.layers.Dense(3, activation="softmax")(x))


@pytest.fixture(scope="module")
def model() -> keras.Model:
    model = classifier()
    model.compile("sgd", "sparse_categorical_crossentropy")
    # One step moves the averages: from here on, training and inference give other answers.
    model.train_on_batch(255 * random_images(6, SIZE), np.arange(6) % 3)
    return model


@pytest.fixture(scope="module")
def file(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keras") / "model.keras"
    model.save(file)
    return file


@pytest.fixture(scope="module")
def version(file: Path) -> Path:
    labels = file.with_name("labels.txt")
    labels.write_text("cat\ncup\nperson\n")
    base = file.parent / "base"
    return export(Options(str(file), base, labels=labels, pixel_range=(0, 255), batch_sizes=(1,))).folder


def test_scores_are_the_models_own_probabilities(model: keras.Model, version: Path) -> None:
    _, levels = decode(*PHOTOGRAPHS, height=SIZE, width=SIZE)
    expected = model.predict(levels.astype(np.float32), verbose=0)
    answer = LoadedVersion(version).run("serving_default", image_bytes=PHOTOGRAPHS)
    scores = np.take_along_axis(answer["scores"], answer["class_ids"].argsort(axis=1), axis=1)
    assert scores == pytest.approx(expected, abs=1e-5)


def test_the_manifest_tells_of_the_file_that_was_given(file: Path, version: Path) -> None:
    manifest = manifests.read(version)
    content = file.read_bytes()
    given = {"path": "model.keras", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert manifest["source"] == {"handle": str(file), "kind": "keras", "files": [given]}
    assert manifest["model"]["source_gives"] == "probabilities"
    assert manifest["preprocessing"]["scale"] == [1]


def test_training_is_left_behind(version: Path) -> None:
    assert training(version) == []


@pytest.mark.parametrize("layer", [keras.layers.Lambda(lambda x: 2 * x), OwnLayer()], ids=["Lambda", "own layer"])
def test_a_layer_with_code_of_its_own_is_refused_with_the_remedy(tmp_path: Path, layer: keras.layers.Layer) -> None:
    file = tmp_path / "model.keras"
    classifier(layer).save(file)
    with pytest.raises(SourceError, match=r'model\.export\("folder"\), and give that folder'), open_source(str(file)):
        pass


def archive(metadata: bytes) -> bytes:
    path = Path("made.zip")
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("metadata.json", metadata)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        (json.dumps({"keras_version": "2.15.0"}).encode(), r"cannot be loaded by tf_keras .* model\.save\(\"folder\""),
        (b" " * (1 << 21) + b'{"keras_version": "3.0"}', "is damaged"),
        (b"{}", "is damaged"),
        (b"[]", "is damaged"),
        (b'{"keras_version": "3.11.0"}', "cannot be loaded"),
        (None, "is not a .keras file"),
    ],
    ids=["Keras 2", "too much of it", "no version", "a list", "nothing else", "no archive"],
)
def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metadata: bytes | None, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.keras").write_bytes(b"text" if metadata is None else archive(metadata))
    with pytest.raises(SourceError, match=says), open_source("model.keras"):
        pass


def test_a_file_cut_short_is_refused(file: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.keras"
    short.write_bytes(file.read_bytes()[:-100])
    with (
        pytest.raises(SourceError, match=r"short\.keras is not a \.keras file, or is damaged"),
        open_source(str(short)),
    ):
        pass


def test_another_backend_of_keras_is_named(file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hubserve", "export", str(file), "--output", str(tmp_path / "base")]
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Error: Keras" in done.stderr
    assert "unset KERAS_BACKEND" in done.stderr


def test_an_object_that_fails_to_load_is_reported_with_its_own_reason() -> None:
    counted = ValueError(
        "A total of 2 objects could not be loaded. Example error message for object <Dense name=predictions>:\n\n"
        "The kernel has the shape (4, 3). Received: (4, 2)\n\nList of objects that could not be loaded:\n[<Dense>]"
    )
    assert first_sentence(counted) == "The kernel has the shape (4, 3)"
    assert first_sentence(ValueError("No model. Save it")) == "No model"
