"""The number of nodes that TensorFlow sets up for every batch: a guard of the cost of one image, which needs no clock.

A dataset's function is set up anew for each batch, node by node, with all the functions that are inlined into it; what
is not inlined is set up when an image needs it.
"""

import functools
from collections.abc import Iterator

import pytest
import tensorflow as tf
from tensorflow.core.framework import function_pb2, node_def_pb2

from hubserve_export.decode import batch, exif, jpeg

# Now 204 and 738. With every format in one function, and inlined: 1335.
MOST_INLINED = 215
MOST_REACHED = 760


def called(node: node_def_pb2.NodeDef) -> Iterator[str]:
    for value in node.attr.values():
        yield from (function.name for function in (value.func, *value.list.func) if function.name)


def nodes_for_a_batch_of_jpegs() -> tuple[int, int]:
    """The nodes that are inlined into the function of a dataset of JPEGs, and all that it can come to.

    There are two such datasets, for one image and for several, and two of every format; the larger of the first counts.
    """
    decode = tf.function(
        lambda image_bytes: batch.decode_batch(image_bytes, batch.Preprocessing(331, 331)),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    graph = decode.get_concrete_function().graph.as_graph_def()
    library = {function.signature.name: function for function in graph.library.function}

    def inlined(function: function_pb2.FunctionDef) -> int:
        if function.attr["_noinline"].b:
            return 0
        inner = (library[name] for node in function.node_def for name in called(node))
        return len(function.node_def) + sum(map(inlined, inner))

    def reached(name: str) -> set[str]:
        return {name}.union(*(reached(inner) for node in library[name].node_def for inner in called(node)))

    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    roots = {name for node in nodes if "MapDataset" in node.op for name in called(node)}
    sizes = [(inlined(library[root]), sum(len(library[name].node_def) for name in reached(root))) for root in roots]
    assert len(sizes) == 4
    return sorted(sizes)[1]


def test_a_batch_of_jpegs_sets_up_little_more_than_they_need() -> None:
    inlined, reached = nodes_for_a_batch_of_jpegs()
    assert inlined <= MOST_INLINED
    assert reached <= MOST_REACHED


def test_the_guard_sees_what_is_inlined_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (batch, exif, jpeg):
        monkeypatch.setattr(module, "not_inlined", functools.partial)
    inlined, _ = nodes_for_a_batch_of_jpegs()
    assert inlined > MOST_INLINED


def test_the_guard_sees_formats_that_come_back_to_the_dataset_of_jpegs(monkeypatch: pytest.MonkeyPatch) -> None:
    every_format = batch.decode_one
    monkeypatch.setattr(
        batch, "decode_one", lambda data, preprocessing, only_jpeg=False: every_format(data, preprocessing)
    )
    _, reached = nodes_for_a_batch_of_jpegs()
    assert reached > MOST_REACHED
