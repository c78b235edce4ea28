"""Networks of keras.applications, recognized by the names of their layers."""

from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from hubserve_export import _architectures

# What the module of each constructor calls its mode of preprocess_input; of networks that scale inside, the mode of
# one that was made without that.
PRESETS = {
    "DenseNet121": "torch",
    "InceptionV3": "tf",
    "MobileNet": "tf",
    "MobileNetV2": "tf",
    "MobileNetV3Small": "tf",
    "EfficientNetV2B0": "tf",
    "NASNetMobile": "tf",
    "ResNet50": "caffe",
    "ResNet50V2": "tf",
    "VGG16": "caffe",
    "VGG19": "caffe",
    "Xception": "tf",
}


def _function(names: list[str]) -> SimpleNamespace:
    graph = tf.Graph()
    with graph.as_default():
        for name in names:
            tf.constant(0.0, name=f"model/{name}/output")
    return SimpleNamespace(graph=graph, variables=[])


@pytest.mark.parametrize("name", PRESETS)
def test_a_network_is_recognized_by_its_layers(name: str) -> None:
    make = getattr(keras.applications, name)
    model = make(weights=None, include_top=False, input_shape=(96, 96, 3))
    found = _architectures.recognize(_function([layer.name for layer in model.layers]))
    assert found is not None
    assert found.preset == PRESETS[name]


def test_layers_that_another_library_names_alike_tell_nothing() -> None:
    assert _architectures.recognize(_function(["conv1_conv", "conv1_bn", "stack0_block0_1_conv"])) is None


def test_a_network_of_any_size_has_the_size_that_it_was_trained_with() -> None:
    model = keras.applications.MobileNetV3Small(weights=None, alpha=0.25, minimalistic=True)
    assert model.input_shape == (None, None, None, 3)
    assert _architectures.published_size(_function([layer.name for layer in model.layers])) == ("MobileNetV3", 224)
    assert _architectures.published_size(_function(["conv1_conv", "conv1_bn"])) is None
