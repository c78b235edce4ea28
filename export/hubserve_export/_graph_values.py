"""Compute values of a graph's tensors from constants and variables, without running the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

# A tensor of a graph or of a function's body: the node's name and the index of its output.
Tensor = tuple[str, int]


@dataclass
class Frame:
    """The graph, or the body of a function that is being called.

    Attributes:
        nodes: The nodes by name.
        arguments: For a body: the caller's tensor behind each argument.
        returns: For a body: the outputs of the call, by the tensor that is returned.
        caller: For a body: the caller and the name of the call.
        consumers: The nodes that take a tensor, with the index of the input.
    """

    nodes: dict[str, Any]
    arguments: dict[str, tuple[Frame, str]] = field(default_factory=dict)
    returns: dict[Tensor, list[int]] = field(default_factory=dict)
    caller: tuple[Frame, str] | None = None
    consumers: dict[Tensor, list[tuple[Any, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.nodes.values():
            for index, name in enumerate(node.input):
                if not name.startswith("^"):
                    self.consumers.setdefault(tensor_of(name), []).append((node, index))


class Values:
    """Compute the values of tensors.

    Values(graph, {"unknown": variable.handle}).of(graph, "Sub/y")

    Args:
        top: The graph.
        captured: The values of the graph's placeholders: handles of variables, and eager tensors.
    """

    def __init__(self, top: Frame, captured: Mapping[str, Any]) -> None:
        self._top = top
        self._captured = captured

    def of(self, frame: Frame, name: str) -> Any:
        """Return the value of a tensor as an array; None if it does not depend on constants and variables only."""
        name, output = tensor_of(name)
        node = frame.nodes.get(name)
        if node is None:
            if name in frame.arguments:
                return self.of(*frame.arguments[name])
            return None
        if node.op == "Placeholder":
            return self._captured_value(name) if frame is self._top else None
        if node.op == "Const":
            return tf.make_ndarray(node.attr["value"].tensor)
        if node.op == "ReadVariableOp":
            handle = self._handle(frame, node.input[0])
            return None if handle is None else _read(handle, node.attr["dtype"].type)
        work = _WORK.get(node.op)
        if work is None or output:
            return None
        given = [self.of(frame, one) for one in node.input if not one.startswith("^")]
        return None if any(one is None for one in given) else work(node, given)

    def _handle(self, frame: Frame, name: str) -> Any:
        name, _ = tensor_of(name)
        if name in frame.arguments:
            return self._handle(*frame.arguments[name])
        node = frame.nodes.get(name)
        if node is not None and node.op == "Identity":
            return self._handle(frame, node.input[0])
        return self._captured.get(name) if frame is self._top else None

    def _captured_value(self, name: str) -> Any:
        value = self._captured.get(name)
        return value.numpy() if isinstance(value, tf.__internal__.EagerTensor) and value.dtype != tf.resource else None


def tensor_of(name: str) -> Tensor:
    """Parse the name of a tensor: "node" or "node:1" in a graph, "node:output:1" in a function's body."""
    node, *rest = name.split(":")
    return node, int(rest[-1]) if rest and rest[-1].isdigit() else 0


def _read(handle: Any, dtype: int) -> Any:
    try:
        return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.as_dtype(dtype)).numpy()
    except (tf.errors.OpError, AttributeError, ValueError, TypeError):
        return None


_WORK: dict[str, Callable[[Any, list[Any]], Any]] = {
    **dict.fromkeys(("Identity", "StopGradient", "Snapshot", "EnsureShape"), lambda _, given: given[0]),
    "Cast": lambda node, given: np.asarray(given[0]).astype(tf.as_dtype(node.attr["DstT"].type).as_numpy_dtype),
    "Reshape": lambda _, given: np.reshape(given[0], [int(side) for side in given[1]]),
    "ExpandDims": lambda _, given: np.expand_dims(given[0], int(given[1])),
    "Squeeze": lambda _, given: np.squeeze(given[0]),
    "Pack": lambda node, given: np.stack(given, node.attr["axis"].i),
    "ConcatV2": lambda _, given: np.concatenate(given[:-1], int(given[-1])),
    "Sqrt": lambda _, given: np.sqrt(given[0]),
    "Rsqrt": lambda _, given: 1 / np.sqrt(given[0]),
    "Square": lambda _, given: np.square(given[0]),
    "Neg": lambda _, given: -np.asarray(given[0]),
    "Reciprocal": lambda _, given: 1 / np.asarray(given[0]),
    "Maximum": lambda _, given: np.maximum(*given),
    **dict.fromkeys(("Add", "AddV2"), lambda _, given: given[0] + given[1]),
    "Sub": lambda _, given: given[0] - given[1],
    "Mul": lambda _, given: given[0] * given[1],
    **dict.fromkeys(("RealDiv", "Div", "DivNoNan"), lambda _, given: given[0] / given[1]),
    "Pow": lambda _, given: given[0] ** given[1],
}
