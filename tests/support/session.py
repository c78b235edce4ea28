"""A version of a model directory, run as TF Serving runs it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf


class LoadedVersion:
    """A SavedModel in a session of its own: `LoadedVersion(folder).run("serving_default", image_bytes=[data])`."""

    def __init__(self, folder: Path) -> None:
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            self.signatures = tf.compat.v1.saved_model.load(self._session, ["serve"], str(folder)).signature_def

    def run(self, signature: str, **inputs: Sequence[bytes] | npt.NDArray[Any]) -> Mapping[str, npt.NDArray[Any]]:
        """Runs a signature on inputs by their names in it."""
        definition = self.signatures[signature]
        # Without the dtype, an empty list of strings would become floats.
        feed = {
            definition.inputs[name].name: np.array(value, object) if isinstance(value, list) else value
            for name, value in inputs.items()
        }
        return self._session.run({name: info.name for name, info in definition.outputs.items()}, feed)
