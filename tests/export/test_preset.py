"""A preset of KerasHub is a source: its classifier or backbone, without the preprocessing beside it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from hubserve_export import SourceError, _entry, _saved_model
from hubserve_export._sources import open_source

keras_hub = pytest.importorskip("keras_hub", reason="needs KerasHub: pip install keras-hub")

IMAGES = np.random.default_rng(0).uniform(size=(2, 32, 32, 3)).astype(np.float32)


def resnet() -> Any:
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 128],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(32, 32, 3),
    )


def vit() -> Any:
    return keras_hub.models.ViTBackbone(
        image_shape=(32, 32, 3), patch_size=16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16
    )


def opened(folder: Path) -> tuple[np.ndarray, tuple[str, ...], str]:
    with open_source(str(folder)) as source:
        entry, _ = _entry.choose(source, _saved_model.load(source))
        files = {file.path for file in source.files()}
        assert {"config.json", "model.weights.h5"} <= files
        return entry.call(tf.constant(IMAGES)).numpy(), entry.notes, source.kind


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_classifier_is_called_without_its_preprocessing(tmp_path: Path, dropout: float) -> None:
    converter = keras_hub.layers.ResNetImageConverter(image_size=(32, 32), scale=1 / 255)
    preprocessor = keras_hub.models.ResNetImageClassifierPreprocessor(converter)
    model = keras_hub.models.ResNetImageClassifier(resnet(), 5, preprocessor=preprocessor, dropout=dropout)
    model.save_to_preset(str(tmp_path / "preset"))
    numbers, notes, kind = opened(tmp_path / "preset")
    assert (notes, kind) == ((), "preset")
    assert numbers == pytest.approx(np.asarray(model(IMAGES, training=False)), abs=1e-5)
    (tmp_path / "preset" / "task.weights.h5").unlink()
    with pytest.raises(SourceError, match=r"does not hold task\.weights\.h5, so its classes do not have weights"):
        opened(tmp_path / "preset")


@pytest.mark.parametrize(
    ("make", "pooled", "words"),
    [
        (resnet, lambda maps: maps.mean((1, 2)), "the features are averaged over the image"),
        (vit, lambda tokens: tokens[:, 0], "the features are those of the first token"),
    ],
)
def test_a_backbone_gives_features(tmp_path: Path, make: Any, pooled: Any, words: str) -> None:
    model = make()
    model.save_to_preset(str(tmp_path / "preset"))
    numbers, notes, _ = opened(tmp_path / "preset")
    assert notes == (words,)
    assert numbers == pytest.approx(pooled(np.asarray(model(IMAGES, training=False))), abs=1e-5)


def test_a_preset_without_weights_is_refused(tmp_path: Path) -> None:
    resnet().save_to_preset(str(tmp_path / "preset"))
    (tmp_path / "preset" / "model.weights.h5").unlink()
    with pytest.raises(SourceError, match=r"has no model\.weights\.h5"):
        opened(tmp_path / "preset")


def test_a_keras_file_of_kerashub_is_a_source(tmp_path: Path) -> None:
    model = keras_hub.models.ResNetImageClassifier(resnet(), 5)
    model.save(tmp_path / "m.keras")
    with open_source(str(tmp_path / "m.keras")) as source:
        entry, _ = _entry.choose(source, _saved_model.load(source))
        assert entry.call(tf.constant(IMAGES)).numpy() == pytest.approx(
            np.asarray(model(IMAGES, training=False)), abs=1e-5
        )
