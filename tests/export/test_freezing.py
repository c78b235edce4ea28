"""`--freeze`: a version whose variables are constants, with the answers of the source model."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from hubserve_export import ModelError, _freezing, _saved_model_file
from hubserve_export._image_model import LoadedModel
from hubserve_export.command import inspect
from models import exported
from support.once import made_once
from support.session import LoadedVersion


@pytest.fixture(scope="module")
def frozen_dir(miniature_saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "frozen", lambda base: exported.of(miniature_saved, base, freeze=True))


def test_a_frozen_version_has_no_variables_and_is_proven(frozen_dir: Path, miniature_dir: Path) -> None:
    # What is left is a counter of TensorFlow's own.
    assert _saved_model_file.parameters(miniature_dir / "1") > 100_000
    assert _saved_model_file.parameters(frozen_dir / "1") <= 1
    plain, frozen = (
        json.loads((base / "1/assets.extra/export.json").read_text()) for base in (miniature_dir, frozen_dir)
    )
    assert (plain["model"].pop("frozen"), frozen["model"].pop("frozen")) == (False, True)
    assert frozen["model"]["parameters"] == plain["model"]["parameters"] > 100_000
    assert frozen["parity"]["max_error"] < frozen["parity"]["tolerance"]
    assert "million parameters, frozen" in CliRunner().invoke(inspect, [str(frozen_dir)]).stdout


def test_the_answers_are_those_of_the_variables(frozen_dir: Path, miniature_dir: Path) -> None:
    images = np.random.default_rng(0).random((3, 64, 64, 3), np.float32)
    plain, frozen = (LoadedVersion(base / "1").run("images", images=images) for base in (miniature_dir, frozen_dir))
    assert np.abs(plain["logits"] - frozen["logits"]).max() < 1e-4 * np.ptp(plain["logits"])
    assert LoadedVersion(frozen_dir / "1").run("serving_default", image_bytes=[])["status"].shape == (0,)


def loaded(**fields: Any) -> LoadedModel:
    variable = tf.Variable([2.0, 3.0])
    function = tf.function(
        lambda images: images * variable, input_signature=[tf.TensorSpec([None, 2])], autograph=False
    ).get_concrete_function()
    made = LoadedModel("mine", None, (), function, [variable], 1, 1, 2, "feature_vector", "Mul")  # type: ignore[arg-type]
    return dataclasses.replace(made, **fields)


def test_a_model_is_the_same_function_without_its_variables() -> None:
    model = loaded()
    frozen = _freezing.frozen(model)
    assert frozen.numbers(tf.constant([[1.0, 1.0]])).numpy().tolist() == [[2, 3]]
    assert frozen.state == []
    assert not frozen.numbers.captured_inputs
    assert _freezing.parameters(model) == 2


def test_variables_that_no_graph_can_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_freezing, "MOST_BYTES", 7)
    with pytest.raises(ModelError, match="more than the 2 GiB that a graph can hold; leave `freeze` out"):
        _freezing.frozen(loaded())


def test_a_model_with_a_table_is_refused() -> None:
    with pytest.raises(ModelError, match="mine also uses a table"):
        _freezing.frozen(loaded(state=object()))
