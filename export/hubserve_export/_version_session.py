"""Open a written version in a session, as TensorFlow Serving loads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ._errors import ProofError

Array = np.ndarray[Any, Any]
#: Runs a signature: takes its name and inputs, returns its outputs.
Run = Callable[[str, Mapping[str, Any]], dict[str, Array]]


@contextmanager
def opened(folder: Path) -> Iterator[Run]:
    """Load a version into a session, by the "serve" tag, with the SavedModel's own restore op.

    `tf.saved_model.load` works differently, and may succeed where this fails.

    Raises:
        ProofError: The version does not load; the provided function raises it if a signature fails.
    """
    # Not the default graph, so that the caller's own operations run eagerly.
    graph = tf.Graph()
    with ExitStack() as stack:
        session = tf.compat.v1.Session(graph=graph)
        stack.callback(session.close)
        try:
            with graph.as_default():
                signatures = tf.compat.v1.saved_model.load(session, ["serve"], str(folder)).signature_def
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            raise ProofError(
                f"the exported model does not load in a session, as TF Serving would load it: {error}"
            ) from error

        def run(signature: str, inputs: Mapping[str, Any]) -> dict[str, Array]:
            definition = signatures[signature]
            feed = {definition.inputs[name].name: value for name, value in inputs.items()}
            fetched = {name: info.name for name, info in definition.outputs.items()}
            try:
                answer: dict[str, Array] = session.run(fetched, feed)
            except (tf.errors.OpError, ValueError) as error:
                raise ProofError(f"the exported model's signature {signature} fails in a session: {error}") from error
            return answer

        yield run
