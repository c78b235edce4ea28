"""Operations that a TensorFlow Serving binary does not have: found before it is asked to load them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import tensorflow as tf

from ._errors import ModelError

# Registered in TensorFlow, but run by the Python interpreter, which a server has not.
_OF_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
# On a function of tf.function(jit_compile=True), and on its calls. TF Serving turns XLA off unless
# --xla_cpu_compilation_enabled or --xla_gpu_compilation_enabled is given (main.cc), and then answers each request with
# an error.
_COMPILED = "_XlaMustCompile"


def refuse_foreign(saved: Any) -> None:
    """Refuse a SavedModel (the message) that a stock server could not run.

    Raises:
        ModelError: It names each operation, and how often it is there.
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
            "the model has a function of jit_compile=True, which TensorFlow Serving refuses to run unless it is told "
            "to compile; make the model without it, and let the server's session config decide (Keras compiles "
            "convolutions with groups; give its .keras file, which is exported without)"
        )


def _is_stock(op: str) -> bool:
    return op not in _OF_PYTHON and hasattr(tf.raw_ops, op)
