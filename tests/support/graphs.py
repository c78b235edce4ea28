"""The graph in a SavedModel's file, node by node."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hubserve_export import _saved_model_file

_ASSIGNMENTS = {"AssignVariableOp", "AssignSubVariableOp", "AssignAddVariableOp"}


def nodes(folder: Path) -> Iterator[tuple[str, Any]]:
    """Every node with the function that it is in, "" for none."""
    graph = _saved_model_file.read(folder).meta_graphs[0].graph_def
    yield from (("", node) for node in graph.node)
    yield from ((f.signature.name, node) for f in graph.library.function for node in f.node_def)


def training(folder: Path) -> list[str]:
    """The batch norms in training mode, and the assignments to variables in functions other than the restoring ones.

    Outside of functions, the paths of assets are assigned when a server loads the model.
    """
    norms = [node.name for _, node in nodes(folder) if node.op == "FusedBatchNormV3" and node.attr["is_training"].b]
    assigned = [f"{f}/{node.name}" for f, node in nodes(folder) if node.op in _ASSIGNMENTS and f and "restore" not in f]
    return norms + assigned
