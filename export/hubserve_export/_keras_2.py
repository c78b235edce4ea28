"""Load models of Keras 2 with the package tf_keras, if it is installed: it reads older files exactly."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path
from typing import Any

from ._error_words import first_line
from ._errors import SourceError


def is_there() -> bool:
    """Tell whether tf_keras is installed."""
    return importlib.util.find_spec("tf_keras") is not None


def to_saved_model(file: Path, folder: Path) -> None:
    """Load a `.keras` or HDF5 file of Keras 2 and save it for inference into the empty folder `folder`.

    Raises:
        SourceError: The file cannot be loaded, or the SavedModel cannot be written.
    """
    import tensorflow as tf

    try:
        import tf_keras

        with contextlib.redirect_stdout(io.StringIO()):
            model = tf_keras.models.load_model(str(file), compile=False, safe_mode=True)
            root = tf.Module()
            root.model = model
            tf.saved_model.save(root, str(folder), signatures={"serving_default": _for_inference(model)})
    except Exception as error:
        # Layers raise all kinds of errors for damaged files and other versions.
        raise SourceError(
            f"{file} cannot be loaded by tf_keras ({first_line(error)}); "
            'save it where it was made, model.save("folder", save_format="tf"), and give that folder'
        ) from error


def _for_inference(model: Any) -> Any:
    import tensorflow as tf

    names = list(model.output_names)

    def serve(*inputs: Any) -> dict[str, Any]:
        answer = model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
        if isinstance(answer, dict):
            return answer
        return dict(zip(names, answer if isinstance(answer, list | tuple) else [answer], strict=True))

    specs = [
        tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype, name)
        for tensor, name in zip(model.inputs, model.input_names, strict=True)
    ]
    return tf.function(serve, input_signature=specs, autograph=False)
