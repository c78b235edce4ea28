"""Read a written SavedModel: its signatures, its size, and operations that a server does not have."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from ._errors import ModelError

# Registered in TensorFlow, but run by the Python interpreter, which a server does not have.
_OF_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
# An attribute of functions of tf.function(jit_compile=True), and of their calls. TF Serving switches XLA off unless it
# has --xla_cpu_compilation_enabled or --xla_gpu_compilation_enabled (main.cc), and then answers each request with an
# error.
_COMPILED = "_XlaMustCompile"


def read(folder: Path) -> Any:
    """Return the SavedModel message of a version."""
    return saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())


def signatures(saved: Any) -> dict[str, Any]:
    """Return inputs and outputs of each signature by name, with dtype and shape (None for any size)."""
    return {
        name: {"inputs": _tensors(definition.inputs), "outputs": _tensors(definition.outputs)}
        for name, definition in sorted(saved.meta_graphs[0].signature_def.items())
        if not name.startswith("__")
    }


def parameters(folder: Path) -> int:
    """Return the number of parameters in the saved variables."""
    variables = tf.train.list_variables(str(folder / "variables" / "variables"))
    # The only entry without a shape is the checkpoint's index.
    return sum(math.prod(shape) for name, shape in variables if not name.startswith("_CHECKPOINTABLE"))


def refuse_foreign(saved: Any) -> None:
    """Refuse a SavedModel (the message) that a stock server could not run.

    Raises:
        ModelError: The message names each operation and its number.
    """
    graph = saved.meta_graphs[0].graph_def
    own = {function.signature.name for function in graph.library.function}
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    foreign = Counter(node.op for node in nodes if node.op not in own and not _is_stock(node.op))
    if foreign:
        named = ", ".join(f"{op} ({count} times)" if count > 1 else op for op, count in sorted(foreign.items()))
        raise ModelError(
            f"the model uses {named}, which TensorFlow Serving does not have: it runs stock TensorFlow only, and no "
            "Python; write that part with TensorFlow's own operations"
        )
    if any(_COMPILED in part.attr and part.attr[_COMPILED].b for part in [*graph.library.function, *nodes]):
        raise ModelError(
            "the model has a function with jit_compile=True, which TensorFlow Serving refuses to run unless XLA is "
            "switched on; make the model without it, and let the server's session config decide (Keras compiles "
            "grouped convolutions; give its .keras file, which is exported without XLA)"
        )


def _tensors(infos: Any) -> dict[str, Any]:
    return {
        name: {
            "dtype": tf.as_dtype(info.dtype).name,
            "shape": [None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim],
        }
        for name, info in sorted(infos.items())
    }


def _is_stock(op: str) -> bool:
    return op not in _OF_PYTHON and hasattr(tf.raw_ops, op)
