"""A Keras 3 model in a `.keras` file, made into a SavedModel by Keras' own export.

The file is a zip archive whose `metadata.json` names the Keras that wrote it. A SavedModel around Keras 3 objects,
saved in any other way, loads with `tf.saved_model.load` and fails in a session, which is how TensorFlow Serving loads
it.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from ._errors import SourceError

_METADATA_BYTES = 1 << 20


def to_saved_model(file: Path, folder: Path) -> None:
    """Loads `file` and exports it into the empty folder `folder`.

    Keras' safe mode is on: it refuses layers that carry code.

    Raises:
        SourceError: It is not of Keras 3, is damaged, or has layers that this program does not know.
    """
    major = _version(file).partition(".")[0]
    if major != "3":
        raise SourceError(
            f"{file} was saved by Keras {major}, and only those of Keras 3 can be read; save the model as a folder "
            'instead, model.save("folder"), and give that'
        )
    keras = _library()
    try:
        # Keras tells on the standard output where it exported to.
        with contextlib.redirect_stdout(io.StringIO()):
            model = keras.models.load_model(file, compile=False, safe_mode=True)
            _export(model, file, folder)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, zipfile.BadZipFile) as error:
        raise SourceError(
            f"{file} cannot be loaded ({_first_sentence(error)}); where it has layers of your own, export it beside "
            'their code, model.export("folder"), and give that folder'
        ) from error


def _export(model: Any, file: Path, folder: Path) -> None:
    import tensorflow as tf

    try:
        model.export(str(folder), format="tf_saved_model", verbose=False)
    except (OSError, tf.errors.OpError) as error:
        raise SourceError(
            f"{file} cannot be unpacked into {folder.parent} ({str(error).rpartition('; ')[2]}); set TMPDIR to a "
            "folder with room for the model"
        ) from error


def _version(file: Path) -> str:
    try:
        with zipfile.ZipFile(file) as archive, archive.open("metadata.json") as member:
            metadata = json.loads(member.read(_METADATA_BYTES))
        return str(metadata["keras_version"])
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise SourceError(
            f"{file} is not a .keras file, or is damaged ({_first_sentence(error)}); save or download it again"
        ) from error


def _library() -> Any:
    try:
        import keras
    except (ImportError, ValueError) as error:
        # Keras imports its backend with itself.
        raise SourceError(
            f"Keras cannot be imported ({error}); unset KERAS_BACKEND, so that it is TensorFlow"
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise SourceError(
            f"Keras runs on {keras.backend.backend()} here, and only TensorFlow can export for TensorFlow Serving; "
            "unset KERAS_BACKEND"
        )
    return keras


def _first_sentence(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].partition(". ")[0] or type(error).__name__
