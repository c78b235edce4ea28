"""Replace the reference variables of TensorFlow 1 models, which TensorFlow 2 can call but not save again.

Reference variables were the default of TensorFlow 1. Its SavedModels load in TensorFlow 2, but these variables remain
nodes of the graph that Python does not see (`tf.saved_model.load` warns about it), and a new checkpoint would not
contain their values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from . import _saved_model_file

_OPS = frozenset({"Variable", "VariableV2"})


def replaced(folder: Path, loaded: Any, signature: Any) -> Callable[..., dict[str, tf.Tensor]]:
    """Return a signature with a `tf.Variable` of the same value for every reference variable.

    Without reference variables, the signature itself is returned.

    Args:
        folder: The SavedModel's folder.
        loaded: The loaded SavedModel, which will own the new variables.
        signature: One of its signatures.
    """
    graph = signature.graph.as_graph_def()
    references = [node for node in graph.node if node.op in _OPS]
    if not references:
        return signature
    names = [node.name for node in references]
    for node in references:
        # A placeholder, to be fed: a variable node would stay in the graph, and run even if it is not read.
        node.op = "Placeholder"
        del node.attr["container"], node.attr["shared_name"]
    variables = _variables(folder, loaded, names)
    outputs = {name: tensor.name for name, tensor in signature.structured_outputs.items()}
    # The inputs in the order of the loader's names.
    places = dict(zip(signature._arg_keywords, signature.inputs, strict=False))

    @tf.function(autograph=False)
    def call(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        # Importing a graph only takes tensors of the graph that it is imported into.
        filled = {place.name: tf.identity(captured) for captured, place in signature.graph.captures}
        filled |= {places[name].name: tf.identity(given) for name, given in inputs.items()}
        filled |= {f"{name}:0": variables[name].read_value() for name in names}
        found = tf.graph_util.import_graph_def(graph, input_map=filled, return_elements=list(outputs.values()), name="")
        return dict(zip(outputs, found, strict=True))

    return call


def _variables(folder: Path, loaded: Any, names: Sequence[str]) -> dict[str, tf.Variable]:
    """Return the variables by name; two signatures of a model share them."""
    known: dict[str, tf.Variable] = dict(getattr(loaded, "replaced_by_name", ()))
    missing = [name for name in names if name not in known]
    if missing:
        made = [tf.Variable(value) for value in _values(folder, missing)]
        known |= dict(zip(missing, made, strict=True))
        loaded.replaced_by_name = tuple(known.items())
        loaded.replaced_variables = list(known.values())
    return known


def _values(folder: Path, names: Sequence[str]) -> Any:
    """Return the variables' values from a session: a function cannot return the value of a reference."""
    tags = list(_saved_model_file.read(folder).meta_graphs[0].meta_info_def.tags)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, tags, str(folder))
        return session.run([f"{name}:0" for name in names])
