"""The test network has the size and form of the published one, and its answers depend on the right inputs."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
import tensorflow as tf
import tensorflow_hub as hub

from models.pnasnet import LARGE, MINIATURE, Pnasnet, random_images

# What the ports of the published checkpoint count: trainable parameters, with 1000 classes.
PUBLISHED_PARAMETERS = 86_057_668


@pytest.fixture(scope="module")
def network() -> Pnasnet:
    return Pnasnet(MINIATURE)


@pytest.fixture(scope="module")
def saved(network: Pnasnet, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("hub") / "pnasnet"
    network.save(path)
    return str(path)


@pytest.fixture(scope="module")
def loaded(saved: str) -> Any:
    """Loaded once: a test that trains loads its own."""
    return hub.load(saved)


@pytest.fixture(scope="module")
def images() -> npt.NDArray[np.float32]:
    return random_images(3, MINIATURE.image_size, seed=1)


def parameters(variables: list[tf.Variable]) -> int:
    return sum(variable.shape.num_elements() for variable in variables)


def moving_statistics(variables: list[tf.Variable]) -> list[npt.NDArray[np.float32]]:
    return [variable.numpy() for variable in variables if not variable.trainable]


@pytest.mark.slow
def test_the_large_network_has_the_published_number_of_parameters() -> None:
    large = Pnasnet(LARGE)
    width_of_one_class = 4320 + 1
    assert parameters(large.trainable_variables) == PUBLISHED_PARAMETERS + width_of_one_class
    assert parameters(large.variables) == 86_238_977
    assert large.dense.shape == (4320, 1001)


def test_different_photographs_get_different_answers(network: Pnasnet) -> None:
    photographs = [skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()]
    size = [MINIATURE.image_size] * 2
    images = [tf.image.resize(photograph / 255.0, size, antialias=True) for photograph in photographs]
    logits = network(tf.cast(tf.stack(images), tf.float32)).numpy()
    assert len(set(logits.argmax(axis=1))) == len(photographs)
    assert np.std(logits, axis=0).mean() > 1.0


def test_the_answer_of_an_image_does_not_depend_on_its_batch(network: Pnasnet, images: npt.NDArray[np.float32]) -> None:
    alone = np.concatenate([network(image[None]) for image in images])
    np.testing.assert_allclose(network(images), alone, atol=1e-4)


def test_one_seed_gives_one_network_and_another_seed_another(network: Pnasnet, images: npt.NDArray[np.float32]) -> None:
    same, other = Pnasnet(MINIATURE), Pnasnet(dataclasses.replace(MINIATURE, seed=1))
    np.testing.assert_allclose(network(images), same(images), atol=1e-4)
    assert np.abs(network(images) - other(images)).max() > 1.0


def test_a_network_without_classes_gives_feature_vectors(images: npt.NDArray[np.float32]) -> None:
    extractor = Pnasnet(dataclasses.replace(MINIATURE, classes=None))
    assert extractor(images).shape == (3, MINIATURE.features)


def test_the_moving_statistics_are_learned_ones_and_count(images: npt.NDArray[np.float32]) -> None:
    network = Pnasnet(MINIATURE)
    norm = network.cells[-1].fit_right.norm
    assert np.abs(norm.moving_mean).min() > 0.0
    assert np.abs(norm.moving_variance - 1.0).min() > 0.0
    before = network(images).numpy()
    norm.moving_variance.assign(2.0 * norm.moving_variance)
    assert np.abs(network(images) - before).max() > 0.1


@pytest.mark.slow
def test_the_loaded_network_answers_as_the_one_saved(
    network: Pnasnet, loaded: Any, images: npt.NDArray[np.float32]
) -> None:
    assert loaded(images).shape == (3, 1001)
    np.testing.assert_allclose(loaded(images), network(images), atol=1e-4)
    np.testing.assert_allclose(loaded.regularization_losses[0](), network.regularization_losses[0](), rtol=1e-5)


def test_the_saved_form_is_that_of_the_hub(network: Pnasnet, loaded: Any) -> None:
    assert not loaded.signatures
    assert len(loaded.variables) == len(network.variables)
    assert len(loaded.trainable_variables) == len(network.trainable_variables)
    traces = [trace.structured_input_signature for trace in loaded.__call__.concrete_functions]
    size = MINIATURE.image_size
    inputs = tf.TensorSpec([None, size, size, 3], tf.float32, "inputs")
    momentum = tf.TensorSpec([], tf.float32, "batch_norm_momentum")
    assert sorted(arguments[1:3] for arguments, _ in traces) == [(a, b) for a in (False, True) for b in (False, True)]
    assert {(arguments[0], arguments[3]) for arguments, _ in traces} == {(inputs, momentum)}


def load_saved(network: Pnasnet, saved: str) -> Any:
    return hub.load(saved)


def make_anew(network: Pnasnet, saved: str) -> Any:
    return Pnasnet(network.config)


@pytest.mark.slow
@pytest.mark.parametrize("get", [make_anew, load_saved])
def test_training_moves_the_moving_statistics_by_the_momentum(
    network: Pnasnet, saved: str, images: npt.NDArray[np.float32], get: Callable[[Pnasnet, str], Any]
) -> None:
    subject = get(network, saved)
    start = moving_statistics(subject.variables)
    subject(images, training=True, batch_norm_momentum=0.0)
    batch = moving_statistics(subject.variables)
    subject(0.5 * images, training=True, batch_norm_momentum=0.0)
    other_batch = moving_statistics(subject.variables)
    subject(images, training=True, batch_norm_momentum=0.75)
    assert any(np.abs(a - b).max() > 0.1 for a, b in zip(start, batch, strict=True))
    for now, old, new in zip(moving_statistics(subject.variables), other_batch, batch, strict=True):
        np.testing.assert_allclose(now, 0.75 * old + 0.25 * new, rtol=1e-3, atol=1e-4)


def test_frozen_statistics_and_inference_leave_the_variables_as_they_are(
    loaded: Any, images: npt.NDArray[np.float32]
) -> None:
    start = moving_statistics(loaded.variables)
    inferred = loaded(images)
    trained = loaded(images, training=True, freeze_statistics=True)
    assert np.abs(trained - inferred).max() > 0.1
    for now, old in zip(moving_statistics(loaded.variables), start, strict=True):
        np.testing.assert_array_equal(now, old)
