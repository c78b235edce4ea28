"""Make a function of a part of a loaded graph, so that TensorFlow can run that part on the rows of many callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import tensorflow as tf
from tensorflow.core.framework import function_pb2, graph_pb2, node_def_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class GraphFunction:
    """A function in the graph's library: ``add_function(graph, "f", ["x:0"], ["y:0"])``.

    Its arguments are the feeds and then the handles; its results are the fetches.

    Attributes:
        name: The function's name.
        handles: The variables and tables that it uses. A handle made inside the function would be a new, empty
            variable.
    """

    name: str
    handles: Sequence[tf.Tensor]


def add_function(graph: tf.Graph, name: str, feeds: Sequence[str], fetches: Sequence[str]) -> GraphFunction:
    """Add a function that computes the fetches from the feeds, all given by tensor name, as the graph does.

    The nodes are copied, and not traced again: tracing infers shapes and adds orderings that the graph does not have,
    and that break some graphs (a TF1 loop, for example).
    """
    body, handles = _cut(graph, set(feeds), fetches)
    tensors = [graph.get_tensor_by_name(feed) for feed in feeds] + handles
    arguments = {tensor.name: f"argument_of_{name}_{index}" for index, tensor in enumerate(tensors)}

    function = function_pb2.FunctionDef()
    function.signature.name = name
    function.signature.is_stateful = True
    for tensor in tensors:
        function.signature.input_arg.add(name=arguments[tensor.name], type=tensor.dtype.base_dtype.as_datatype_enum)
    for index, fetch in enumerate(fetches):
        tensor = graph.get_tensor_by_name(fetch)
        function.signature.output_arg.add(name=f"result_{index}", type=tensor.dtype.base_dtype.as_datatype_enum)
        function.ret[f"result_{index}"] = _reference(tensor, arguments)
    function.node_def.extend(_node(operation, body, arguments) for operation in body)

    add_library(graph, function)
    return GraphFunction(name, handles)


def add_library(graph: tf.Graph, function: function_pb2.FunctionDef) -> None:
    """Add a function's definition to the graph's library."""
    library = function_pb2.FunctionDefLibrary(function=[function])
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_pb2.GraphDef(versions=graph.graph_def_versions, library=library), name="")


def _cut(graph: tf.Graph, feeds: set[str], fetches: Sequence[str]) -> tuple[dict[tf.Operation, None], list[tf.Tensor]]:
    """Return the operations between feeds and fetches, and the handles at their edge."""
    body: dict[tf.Operation, None] = {}
    handles: dict[str, tf.Tensor] = {}
    waiting = [graph.get_tensor_by_name(fetch).op for fetch in fetches if fetch not in feeds]
    while waiting:
        operation = waiting.pop()
        if operation in body:
            continue
        body[operation] = None
        waiting.extend(control for control in operation.control_inputs if not _makes_handle(control))
        for tensor in operation.inputs:
            if _makes_handle(tensor.op):
                handles[tensor.name] = tensor
            elif tensor.name not in feeds:
                waiting.append(tensor.op)
    return body, list(handles.values())


def _makes_handle(operation: tf.Operation) -> bool:
    return bool(operation.op_def.is_stateful) and not operation.inputs


def _node(
    operation: tf.Operation, body: Mapping[tf.Operation, None], arguments: Mapping[str, str]
) -> node_def_pb2.NodeDef:
    node = node_def_pb2.NodeDef()
    node.CopyFrom(operation.node_def)
    del node.input[:]
    node.input.extend(_reference(tensor, arguments) for tensor in operation.inputs)
    node.input.extend(f"^{control.name}" for control in operation.control_inputs if control in body)
    # Colocation may name a node outside the function; it is only a hint about devices.
    node.attr.pop("_class", None)
    return node


def _reference(tensor: tf.Tensor, arguments: Mapping[str, str]) -> str:
    """Name a tensor as function bodies do: by its output's name and its index in that output, not by its number."""
    if tensor.name in arguments:
        return arguments[tensor.name]
    operation, first = tensor.op, 0
    for output in operation.op_def.output_arg:
        length = 1
        if output.number_attr:
            length = operation.get_attr(output.number_attr)
        elif output.type_list_attr:
            length = len(operation.get_attr(output.type_list_attr))
        if tensor.value_index < first + length:
            return f"{operation.name}:{output.name}:{tensor.value_index - first}"
        first += length
    raise AssertionError(f"{tensor.name} is not among the outputs of its operation")
