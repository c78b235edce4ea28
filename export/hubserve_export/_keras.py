"""Convert a Keras model in a file into a SavedModel for inference.

A `.keras` file is a zip archive whose `metadata.json` names the Keras that wrote it. Keras' own archive must save it: a
SavedModel of Keras 3 objects that was saved in another way loads with `tf.saved_model.load`, but fails in a session,
which is how TensorFlow Serving loads it.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import _keras_2
from ._error_words import first_sentence
from ._errors import SourceError

_METADATA_BYTES = 1 << 20
_CONFIG_BYTES = 1 << 27


def to_saved_model(file: Path, folder: Path) -> None:
    """Load a `.keras` file and export it into the empty folder `folder`.

    Keras' safe mode is on: it refuses layers that contain code.

    Raises:
        SourceError: The file is damaged, has layers that this program does not know, or was saved by Keras 2 and
            tf_keras is not installed.
    """
    if file.is_dir():
        version, config = _of_folder(file)
    else:
        version, config = _of_archive(file)
    major = version.partition(".")[0]
    if major != "3":
        if _keras_2.is_there():
            _keras_2.to_saved_model(file, folder)
            return
        raise SourceError(
            f"{file} was saved by Keras {major}, and only files of Keras 3 can be read; save the model as a folder "
            'instead, model.save("folder"), and give that, or pip install tf_keras'
        )
    keras = library()
    if "keras_hub" in config:
        hub(file)
    with _loading(file):
        model = keras.models.load_model(file, compile=False, safe_mode=True)
    export(model, file, folder)


def library() -> Any:
    """Return Keras 3 on TensorFlow.

    Raises:
        SourceError: Keras runs on another backend.
    """
    try:
        import keras
    except (ImportError, ValueError) as error:
        # Importing Keras imports its backend.
        raise SourceError(
            f"Keras cannot be imported ({error}); unset KERAS_BACKEND, so that it is TensorFlow"
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise SourceError(
            f"Keras runs on {keras.backend.backend()} here, and only TensorFlow can export for TensorFlow Serving; "
            "unset KERAS_BACKEND"
        )
    return keras


def hub(file: Path) -> Any:
    """Import KerasHub, which has the layers of its models.

    Raises:
        SourceError: KerasHub is not installed.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise SourceError(
            f"{file} is a model of KerasHub, which is not installed here ({error}); pip install keras-hub"
        ) from error
    return keras_hub


def load(file: Path, read: Callable[[], Any]) -> Any:
    """Return what `read` loads from a file.

    Raises:
        SourceError: The file cannot be loaded.
    """
    with _loading(file):
        return read()


@contextlib.contextmanager
def _loading(file: Path) -> Any:
    try:
        yield
    except Exception as error:
        # Layers raise all kinds of errors for damaged files and other versions.
        raise SourceError(
            f"{file} cannot be loaded ({first_sentence(error)}); if it has custom layers, export it together with "
            'their code, model.export("folder"), and give that folder'
        ) from error


def export(model: Any, file: Path, folder: Path) -> None:
    """Export a Keras 3 model into the empty folder `folder`, for inference.

    `model.export` leaves augmentation on, also in Keras 3.15. Several outputs get the names of their layers.

    Raises:
        SourceError: The model cannot be traced or written.
    """
    import tensorflow as tf

    from ._keras_convolution import without_xla

    keras = library()
    try:
        # Keras prints on standard output where it exported to.
        with contextlib.redirect_stdout(io.StringIO()), without_xla(keras):
            if not getattr(model, "inputs", None):
                model.export(str(folder), format="tf_saved_model", verbose=False)
                return
            archive = keras.export.ExportArchive()
            archive.track(model)
            specs = [tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype, tensor.name) for tensor in model.inputs]
            archive.add_endpoint("serve", _for_inference(keras, model), input_signature=specs)
            archive.write_out(str(folder), verbose=False)
    except (OSError, tf.errors.OpError) as error:
        raise SourceError(
            f"{file} cannot be unpacked into {folder.parent} ({str(error).rpartition('; ')[2]}); set TMPDIR to a "
            "folder with room for the model"
        ) from error
    except Exception as error:
        raise SourceError(
            f"{file} cannot be exported by Keras ({first_sentence(error)}); export it where it was made, "
            'model.export("folder"), and give that folder'
        ) from error


def _for_inference(keras: Any, model: Any) -> Callable[..., Any]:
    structure = getattr(model, "_inputs_struct", None)
    names = list(getattr(model, "output_names", ()))

    def serve(*inputs: Any) -> Any:
        given = inputs[0] if structure is None else keras.tree.pack_sequence_as(structure, list(inputs))
        answer = model(given, training=False)
        if isinstance(answer, list | tuple) and 1 < len(answer) == len(names) == len(set(names)):
            return dict(zip(names, answer, strict=True))
        return answer

    return serve


def _of_archive(file: Path) -> tuple[str, str]:
    """Return the version of Keras that wrote a file, and the model's config as text."""
    try:
        with zipfile.ZipFile(file) as archive:
            with archive.open("metadata.json") as member:
                version = str(json.loads(member.read(_METADATA_BYTES))["keras_version"])
            if "config.json" not in archive.namelist():
                return version, ""
            with archive.open("config.json") as member:
                return version, member.read(_CONFIG_BYTES).decode()
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise SourceError(
            f"{file} is not a .keras file, or is damaged ({first_sentence(error)}); save or download it again"
        ) from error


def _of_folder(folder: Path) -> tuple[str, str]:
    """Return the same for a model that was saved with zipped=False."""
    try:
        metadata = json.loads((folder / "metadata.json").read_bytes()[:_METADATA_BYTES])
        return str(metadata["keras_version"]), (folder / "config.json").read_text(encoding="utf-8")
    except (OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise SourceError(
            f"{folder} is not a folder of a Keras model, or is damaged ({first_sentence(error)}); save or download it "
            "again"
        ) from error
