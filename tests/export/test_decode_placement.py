"""Decoding stays on the CPU: a server with a GPU never copies strings to it, nor decodes where there is no kernel."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

# These make nothing: they hand on what other operations made.
_HAND_ON = {"Identity", "NoOp", "Placeholder"}
_READ_BYTES = {
    "DecodeJpeg",
    "DecodePng",
    "DecodeBmp",
    "DecodeGif",
    "DecodeWebP",
    "ExtractJpegShape",
    "ScaleAndTranslate",
}


def functions_called(node: node_def_pb2.NodeDef) -> Iterator[str]:
    for value in node.attr.values():
        yield from (function.name for function in (value.func, *value.list.func) if function.name)


def with_callees(graph: graph_pb2.GraphDef, names: set[str]) -> set[str]:
    """These functions, and all that they call."""
    library = {function.signature.name: function for function in graph.library.function}
    found: set[str] = set()
    while names:
        name = names.pop()
        found.add(name)
        names |= {called for node in library[name].node_def for called in functions_called(node)} - found
    return found


@pytest.fixture(scope="module")
def graph(miniature_dir: Path) -> graph_pb2.GraphDef:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((miniature_dir / "1" / "saved_model.pb").read_bytes())
    return saved.meta_graphs[0].graph_def


def all_nodes(graph: graph_pb2.GraphDef) -> list[node_def_pb2.NodeDef]:
    return [*graph.node, *(node for function in graph.library.function for node in function.node_def)]


def on_cpu(node: node_def_pb2.NodeDef) -> bool:
    return node.op in _HAND_ON or "/device:CPU:" in node.device


def test_every_operation_of_decoding_is_pinned_to_the_cpu(graph: graph_pb2.GraphDef) -> None:
    library = {function.signature.name: function for function in graph.library.function}
    datasets = [node for node in all_nodes(graph) if "Dataset" in node.op]
    roots = [name for node in datasets for name in functions_called(node)]
    assert len(roots) == 6, "for JPEGs alone, other files and examples, one for a single image and one for several"
    read = set()
    for root in roots:
        nodes = [node for name in with_callees(graph, {root}) for node in library[name].node_def]
        read |= {node.op for node in nodes}
        assert not {(node.name, node.op, node.device) for node in [*datasets, *nodes] if not on_cpu(node)}
    assert read >= _READ_BYTES


def test_every_operation_on_strings_is_pinned_to_the_cpu(graph: graph_pb2.GraphDef) -> None:
    strings = [node for node in all_nodes(graph) if node.attr["T"].type == tf.string.as_datatype_enum]
    assert strings
    assert not {(node.name, node.op, node.device) for node in strings if not on_cpu(node)}
