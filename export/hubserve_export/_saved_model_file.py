"""What a written SavedModel holds, read from its files: signatures, size, operations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2


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
    """Tell how many numbers the saved variables hold."""
    variables = tf.train.list_variables(str(folder / "variables" / "variables"))
    # The one entry without a shape is the checkpoint's own index.
    return sum(math.prod(shape) for name, shape in variables if not name.startswith("_CHECKPOINTABLE"))


def _tensors(infos: Any) -> dict[str, Any]:
    return {
        name: {
            "dtype": tf.as_dtype(info.dtype).name,
            "shape": [None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim],
        }
        for name, info in sorted(infos.items())
    }
