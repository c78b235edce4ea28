"""Recognise networks of keras.applications by the names of their layers, and tell which pixels they take.

Keras keeps the names of layers in a graph's nodes and in the names of variables, also for a network inside another
model. For each family, the table lists layers that only this family has. The modes are those of the families' own
`preprocess_input` (Keras 3.15, keras/src/applications).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """A family of networks: its name, layers that must all exist, layers that must not exist, and its preset."""

    name: str
    layers: tuple[str, ...]
    without: tuple[str, ...]
    preset: str


_TABLE = (
    Architecture(
        "ResNet",
        ("conv1_conv", "conv1_bn", "conv2_block1_1_conv", "conv2_block1_1_bn"),
        # A DenseNet has these layers, too, and a transition.
        ("post_bn", "pool2_conv"),
        "caffe",
    ),
    Architecture("ResNetV2", ("conv1_conv", "conv2_block1_preact_bn", "post_bn"), (), "tf"),
    Architecture("DenseNet", ("conv2_block1_0_bn", "conv2_block1_1_conv", "pool2_conv"), (), "torch"),
    Architecture("VGG", ("block1_conv1", "block1_conv2", "block5_conv3"), ("block1_conv1_bn",), "caffe"),
    Architecture("Xception", ("block1_conv1_bn", "block2_sepconv1", "block14_sepconv2_bn"), (), "tf"),
    Architecture("InceptionResNetV2", ("conv_7b", "block35_1_conv", "block17_1_conv"), (), "tf"),
    Architecture("MobileNet", ("conv1_bn", "conv_dw_1", "conv_pw_1"), (), "tf"),
    Architecture("MobileNetV2", ("bn_Conv1", "expanded_conv_depthwise_BN", "block_1_expand"), (), "tf"),
    Architecture("NASNet", ("stem_conv1", "stem_bn1", "reduction_conv_1_stem_1"), (), "tf"),
    # These scale pixels themselves unless they were made with include_preprocessing=False; then they take this preset.
    Architecture("MobileNetV3", ("conv_bn", "expanded_conv_depthwise", "expanded_conv_project"), ("conv_dw_1",), "tf"),
    Architecture("EfficientNetV2", ("stem_conv", "block1a_project_conv", "top_conv"), ("block1a_dwconv",), "tf"),
)
# InceptionV3 has names only for its joints, which appear only in the graph.
_INCEPTION_V3 = tuple(f"mixed{number}" for number in range(11))
_ANY_SIZE = {"MobileNetV3": 224}
_NUMBERED = re.compile(r"_\d+$")


def recognize(function: Any) -> Architecture | None:
    """Return the network of keras.applications that a concrete function runs, or None."""
    names = _layers(function)
    for architecture in _TABLE:
        if names.issuperset(architecture.layers) and not names.intersection(architecture.without):
            return architecture
    if names.issuperset(_INCEPTION_V3):
        return Architecture("InceptionV3", _INCEPTION_V3, (), "tf")
    return None


def published_size(function: Any) -> tuple[str, int] | None:
    """Return the name of a network, and the side in pixels of the images that its published weights were trained with.

    None for networks whose constructor fixes the size of the input. The size is the one on the pages of
    keras.applications.
    """
    found = recognize(function)
    side = None if found is None else _ANY_SIZE.get(found.name)
    return None if found is None or side is None else (found.name, side)


def _layers(function: Any) -> set[str]:
    """Return all parts of the names of nodes and variables, with and without the number that makes them unique."""
    graph = function.graph.as_graph_def()
    names = [node.name for node in graph.node]
    names += [node.name for inner in graph.library.function for node in inner.node_def]
    names += [variable.name.partition(":")[0] for variable in function.variables]
    parts = {part for name in names for part in name.split("/")}
    return parts | {_NUMBERED.sub("", part) for part in parts}
