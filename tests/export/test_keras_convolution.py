"""Convolutions with groups, which Keras would have compiled."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from hubserve_export import _keras, _saved_model_file


@pytest.mark.parametrize(
    "options",
    [
        {"groups": 8, "padding": "same"},
        {"groups": 8, "strides": 2, "padding": "same"},
        {"groups": 8, "strides": (1, 2)},
        {"groups": 2, "dilation_rate": 2},
        {"groups": 1},
    ],
    ids=str,
)
def test_a_convolution_with_groups_is_exported_without_xla(tmp_path: Path, options: dict[str, Any]) -> None:
    model = keras.Sequential(
        [keras.layers.Input((12, 16, 8)), keras.layers.Conv2D(16, 3, bias_initializer="ones", **options)]
    )
    model.save(tmp_path / "model.keras")
    _keras.to_saved_model(tmp_path / "model.keras", tmp_path / "saved")
    _saved_model_file.refuse_foreign(_saved_model_file.read(tmp_path / "saved"))
    images = np.random.default_rng(1).normal(size=(3, 12, 16, 8)).astype(np.float32)
    expected = model.predict(images, verbose=0)
    loaded = tf.saved_model.load(tmp_path / "saved")
    found = loaded.serve(images)
    assert np.abs(found - expected).max() < 1e-5
    # Afterwards, Keras is as it was.
    assert np.abs(model.predict(images, verbose=0) - expected).max() == 0
