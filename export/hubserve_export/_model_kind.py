"""Decide whether a model's numbers are classes or a feature vector.

A SavedModel does not say it. The evidence, strongest first, is: what the user gives (`kind`, or an option that only
fits classifiers), the hub's name for the module, ImageNet's number of classes, and the operation that makes the
numbers: a dense layer gives logits, pooling gives features.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ._errors import ModelError
from .hub import module_table

# The hub's own terms.
CLASSIFICATION = "classification"
FEATURE_VECTOR = "feature_vector"

_IMAGENET = (1000, 1001)
_PASSING_ON = frozenset({"Identity", "IdentityN", "Cast", "Reshape", "Squeeze", "EnsureShape", "StopGradient"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_POOLING = frozenset({"Mean", "Sum", "Max", "AvgPool", "MaxPool", "Relu", "Relu6", "Elu", "Selu"})


def choose(handle: str, ending: str, width: int, given: str | None = None, said: Sequence[str] = ()) -> str:
    """Return the kind of a model.

    Args:
        handle: The model's name in messages: the hub's URL, or a path.
        ending: The operation that makes its numbers, from `last_operation`.
        width: The number of outputs for an image.
        given: The kind that the user gives.
        said: The given options that only fit a classifier, such as "labels".

    Raises:
        ModelError: Two pieces of evidence contradict each other.
    """
    claims = [(given, f"`kind` is {given}")] if given else []
    claims += [(CLASSIFICATION, f"`{option}` is only for classifiers") for option in said]
    if "://" in handle:  # A folder on this machine may have any name.
        claims += [(kind, f"{handle} is a {kind} module by {known}") for kind, known in _named(handle)]
    if ending == "Softmax":
        claims.append((CLASSIFICATION, f"{handle} ends in a softmax, which gives probabilities of classes"))
    if claims:
        (kind, first), *others = claims
        for other, reason in others:
            if other != kind:
                raise ModelError(f"{first}, and {reason}; leave one of them out, or give another model")
        return kind
    # A single number is a score or a regression, which `_head` distinguishes.
    return FEATURE_VECTOR if ending in _POOLING and width not in (*_IMAGENET, 1) else CLASSIFICATION


def _named(handle: str) -> list[tuple[str, str]]:
    """Return the kind of an address and the evidence; empty without evidence."""
    if (module := module_table.find(handle)) is not None:
        return [(module.kind, "the hub's index")]
    # The hub and Kaggle use feature_vector, feature-vector and large-feature-vector.
    words = re.findall(rf"(?<=[/-])({CLASSIFICATION}|feature[_-]vector)(?=[/?-]|$)", handle.lower())
    return [(words[-1].replace("-", "_"), "its name")] if words else []


def last_operation(graph: Any, output: str) -> str:
    """Return the operation that makes a tensor's numbers, without operations that only pass them on.

    Args:
        graph: A GraphDef with its function library.
        output: The tensor, as "node" or "node:index".

    Returns:
        The operation's name, such as "BiasAdd"; "Placeholder" for an input that is passed through.
    """
    functions = {function.signature.name: function for function in graph.library.function}
    return _maker(output, {node.name: node for node in graph.node}, functions)


def _maker(tensor: str, nodes: Mapping[str, Any], functions: Mapping[str, Any]) -> str:
    # In a graph a tensor is "node" or "node:index", in a function "node:output:index".
    name, *rest = tensor.split(":")
    index = int(rest[-1]) if rest else 0
    node = nodes.get(name)
    if node is None:
        return "Placeholder"
    if node.op in _PASSING_ON:
        return _maker(node.input[index if node.op == "IdentityN" else 0], nodes, functions)
    called = node.attr["f"].func.name if node.op in _CALLS else node.op
    if called in functions:
        function = functions[called]
        inside = {inner.name: inner for inner in function.node_def}
        return _maker(function.ret[function.signature.output_arg[index].name], inside, functions)
    return str(node.op)
