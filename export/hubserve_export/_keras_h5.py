"""Convert a Keras model in an HDF5 file (`.h5`, `.hdf5`): the format of Keras 1 and 2, and of Teachable Machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hubserve_model.scratch import private_folder

from . import _keras, _keras_2
from ._error_words import first_sentence
from ._errors import SourceError


def to_saved_model(file: Path, folder: Path) -> None:
    """Load an HDF5 file and export it into the empty folder `folder`.

    Files of Keras 2 are read by tf_keras if it is installed, else by Keras 3, which can read most of them.

    Raises:
        SourceError: The file does not hold a whole model, is damaged, or has layers that cannot be read.
    """
    version, config = _described(file)
    if code := sorted({name for name in _classes(config) if name in ("Lambda", "__lambda__")}):
        raise SourceError(
            f"{file} has a layer that contains Python code ({code[0]}), which is not run; write that part with Keras' "
            'own layers, or export it where it was made, model.export("folder"), and give that folder'
        )
    if not version.startswith("3") and _keras_2.is_there():
        _keras_2.to_saved_model(file, folder)
        return
    keras = _keras.library()
    try:
        with private_folder() as scratch:
            readable = _for_keras_3(file, config, scratch)
            model = keras.models.load_model(readable, compile=False, safe_mode=True)
    except Exception as error:
        # Layers raise all kinds of errors for files of other versions.
        advice = "" if version.startswith("3") else "pip install tf_keras, which reads files of Keras 2; or "
        raise SourceError(
            f"{file} has Keras' old format, and cannot be loaded ({first_sentence(error)}); {advice}load it "
            'where it was made and save it as a folder, model.save("folder") or, with Keras 3, model.export("folder")'
        ) from error
    _keras.export(model, file, folder)


def _described(file: Path) -> tuple[str, Any]:
    """Return the version of Keras that wrote the file, and the model's config."""
    try:
        import h5py

        with h5py.File(file, "r") as opened:
            config = opened.attrs.get("model_config")
            version = opened.attrs.get("keras_version", "2")
    except (ImportError, OSError, ValueError, RuntimeError, KeyError) as error:
        raise SourceError(
            f"{file} is not an HDF5 file, or is damaged ({first_sentence(error)}); save or download it again"
        ) from error
    if config is None:
        raise SourceError(
            f"{file} holds only weights, without their model; save the whole model, "
            'model.save("model.keras"), and give that file'
        )
    try:
        return _text(version), json.loads(_text(config))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"the model's config in {file} is damaged ({error}); save or download it again") from error


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _classes(config: Any) -> Iterator[str]:
    """Return the class names of all layers and functions in a config."""
    if isinstance(config, Mapping):
        if isinstance(name := config.get("class_name"), str):
            yield name
        if config.get("function_type") == "lambda":
            yield "Lambda"
    for inner in config.values() if isinstance(config, Mapping) else config if isinstance(config, list) else ():
        yield from _classes(inner)


def _for_keras_3(file: Path, config: Any, scratch: Path) -> Path:
    """Return a copy of the file whose config Keras 3 understands."""
    import h5py

    copy = scratch / "model.h5"
    shutil.copyfile(file, copy)
    with h5py.File(copy, "r+") as opened:
        opened.attrs["model_config"] = json.dumps(_modern(config)).encode()
    return copy


def _modern(config: Any) -> Any:
    """Return a config without keys of Keras 2 that Keras 3 does not take.

    The `groups` of DepthwiseConv2D are always 1; files of Teachable Machine contain them. `rng_type` defines how
    augmentation draws numbers. Keras 3 has other names for modules of tf_keras, and finds its own classes without them.
    """
    if isinstance(config, list):
        return [_modern(inner) for inner in config]
    if not isinstance(config, Mapping):
        return config
    kept = {key: _modern(value) for key, value in config.items() if key not in ("rng_type", "force_generator")}
    if "class_name" in kept and isinstance(kept.get("config"), Mapping):
        if str(kept.get("module", "")).startswith(("keras", "tf_keras")):
            for key in ("module", "registered_name", "build_config"):
                kept.pop(key, None)
        for ends in ("input_layers", "output_layers"):
            if isinstance(found := kept["config"].get(ends), list) and len(found) == 1:
                # Keras 3 takes a list of one as a model that returns a list.
                kept["config"][ends] = found[0]
        if kept["class_name"] == "DepthwiseConv2D" and kept["config"].get("groups") == 1:
            del kept["config"]["groups"]
    return kept
