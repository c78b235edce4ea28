"""A model of feature vectors: its two signatures, and how it is told apart from a classifier."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from hubserve_export import _saved_model_file
from hubserve_export.command import export, inspect
from models import pnasnet
from support.decoding import decode
from support.photographs import CHELSEA, COFFEE
from support.session import LoadedVersion

WIDTH = pnasnet.MINIATURE.features


@pytest.fixture(scope="module")
def features(features_dir: Path) -> LoadedVersion:
    return LoadedVersion(features_dir / "1")


@pytest.fixture(scope="module")
def source(features_saved: Path):
    return tf.saved_model.load(str(features_saved))


def test_the_published_network_has_the_hubs_number_of_features() -> None:
    assert pnasnet.LARGE.features == 4320


def test_it_has_two_signatures(features_dir: Path) -> None:
    signatures = _saved_model_file.signatures(_saved_model_file.read(features_dir / "1"))
    vector = {"dtype": "float32", "shape": [None, WIDTH]}
    assert signatures == {
        "images": {
            "inputs": {"images": {"dtype": "float32", "shape": [None, 64, 64, 3]}},
            "outputs": {"feature_vector": vector},
        },
        "serving_default": {
            "inputs": {"image_bytes": {"dtype": "string", "shape": [None]}},
            "outputs": {"feature_vector": vector, "status": {"dtype": "int32", "shape": [None]}},
        },
    }


def test_vectors_are_the_source_models_own(features: LoadedVersion, source) -> None:
    encoded = [CHELSEA.read_bytes(), COFFEE.read_bytes()]
    _, pixels = decode(*encoded, height=64, width=64)
    expected = source(tf.constant(pixels / 255, tf.float32), training=False).numpy()
    answer = features.run("serving_default", image_bytes=encoded)
    assert answer["status"].tolist() == [0, 0]
    assert np.allclose(answer["feature_vector"], expected, rtol=1e-4, atol=1e-5)
    images = features.run("images", images=(pixels / 255).astype(np.float32))
    assert np.allclose(images["feature_vector"], expected, rtol=1e-4, atol=1e-5)


def test_a_bad_image_has_zeros_and_its_neighbours_their_vectors(features: LoadedVersion) -> None:
    alone = features.run("serving_default", image_bytes=[CHELSEA.read_bytes()])["feature_vector"]
    answer = features.run("serving_default", image_bytes=[b"bad", CHELSEA.read_bytes()])
    assert answer["status"].tolist() == [1, 0]
    assert not answer["feature_vector"][0].any()
    assert np.allclose(answer["feature_vector"][1], alone[0], rtol=1e-4, atol=1e-5)


def test_an_empty_batch_has_an_empty_answer(features: LoadedVersion) -> None:
    assert features.run("serving_default", image_bytes=[])["feature_vector"].shape == (0, WIDTH)


def test_a_person_sees_features_and_no_labels(features_dir: Path) -> None:
    shown = CliRunner().invoke(inspect, [str(features_dir)]).stdout
    assert f"model        {WIDTH} features; " in shown
    assert "7 warm-up records" in shown
    assert "parity       with the source model on 4 images: features within" in shown
    assert "labels" not in shown
    assert not (features_dir / "1" / "assets" / "labels.txt").exists()


def test_a_program_sees_the_kind(features_dir: Path) -> None:
    manifest = json.loads(CliRunner().invoke(inspect, [str(features_dir), "--json"]).stdout)
    assert manifest["model"]["kind"] == "feature_vector"
    assert manifest["model"]["features"] == WIDTH
    assert manifest["labels"] is None
    assert manifest["parity"]["top1_equal"] is None
    assert manifest["parity"]["max_error"] <= manifest["parity"]["tolerance"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--labels", "labels.txt"], "labels.txt has 2 lines, and the model has 160 classes"),
        (["--kind", "feature_vector", "--top-k", "3"], "--kind is feature_vector, and --top-k is only for classifiers"),
        (["--kind", "classification"], "the model has 160 classes, which are not ImageNet's; name them with --labels"),
        (["--classes", "10"], "--classes is 10, and .* gives 160 numbers"),
    ],
)
def test_what_contradicts_features_is_an_error(
    features_saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("labels.txt").write_text("cat\ndog\n")
    result = CliRunner().invoke(export, [str(features_saved), "--output", "base", *options])
    assert result.exit_code == 1
    assert re.search(says, result.stderr), result.stderr
    assert not Path("base").exists()
