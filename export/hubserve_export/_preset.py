"""Convert a preset of KerasHub, a folder with a model's config and weights, into a SavedModel for inference.

`config.json` describes the backbone, `task.json` the classifier around it, `model.weights.h5` and `task.weights.h5` are
their weights. The preprocessing, `preprocessor.json`, is not part of the model: `_sidecars` finds it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import _keras
from ._errors import ModelError, SourceError

CONFIG = "config.json"
_TASK = "task.json"
_TASK_WEIGHTS = "task.weights.h5"
_WEIGHTS = ("model.weights.h5", "model.weights.json")
# The first token of these stands for the whole image, also in KerasHub's own classifiers.
_OF_TOKENS = ("ViTBackbone", "DeiTBackbone")


def is_preset(folder: Path) -> bool:
    """Tell whether a folder looks like a preset: a config of one of KerasHub's classes."""
    return any("keras_hub" in _module(folder / name) for name in (CONFIG, _TASK))


def to_saved_model(folder: Path, target: Path) -> tuple[str, ...]:
    """Load the classifier or backbone of a preset and export it into the empty folder `target`.

    Returns:
        Descriptions of what was added to the model.

    Raises:
        SourceError: KerasHub is not installed, or the preset is damaged or lacks weights.
        ModelError: The model is neither a classifier of images nor a backbone.
    """
    keras = _keras.library()
    hub = _keras.hub(folder)
    if not any((folder / name).is_file() for name in _WEIGHTS):
        raise SourceError(
            f"{folder} does not hold {_WEIGHTS[0]}; a preset without weights cannot be exported: copy it again"
        )
    if (folder / _TASK).is_file():
        name = _json(folder / _TASK).get("class_name")
        kind = getattr(hub.models, str(name), None)
        if not (isinstance(kind, type) and issubclass(kind, hub.models.ImageClassifier)):
            raise ModelError(
                f"{folder} is a preset of {name}, and only classifiers of images and backbones are exported"
            )
        if not (folder / _TASK_WEIGHTS).is_file():
            raise SourceError(
                f"{folder} does not hold {_TASK_WEIGHTS}, so its classes do not have weights; save it again with "
                "classifier.save_to_preset(folder)"
            )
        model = _keras.load(folder, lambda: hub.models.ImageClassifier.from_preset(str(folder), preprocessor=None))
        _keras.export(model, folder, target)
        return ()
    backbone = _keras.load(folder, lambda: hub.models.Backbone.from_preset(str(folder)))
    model, words = _pooled(keras, backbone, folder)
    _keras.export(model, folder, target)
    return words


def _pooled(keras: Any, backbone: Any, folder: Path) -> tuple[Any, tuple[str, ...]]:
    """Return the backbone as a model with one vector for an image, pooled as in its classifier."""
    features = backbone.output
    if isinstance(features, dict | list | tuple):
        raise ModelError(f"{folder} is a backbone that gives several maps of features, and not a vector for an image")
    if len(features.shape) == 4:
        pooled = keras.layers.GlobalAveragePooling2D(getattr(backbone, "data_format", None))(features)
        words = "the features are averaged over the image"
    elif len(features.shape) == 3 and type(backbone).__name__ in _OF_TOKENS:
        pooled, words = features[:, 0], "the features are those of the first token"
    elif len(features.shape) == 2:
        return backbone, ()
    else:
        raise ModelError(
            f"{folder} is a {type(backbone).__name__}, which gives {features.shape}, and not a vector for an image; "
            "save a classifier around it, classifier.save_to_preset(folder)"
        )
    return keras.Model(backbone.inputs, pooled), (words,)


def _module(file: Path) -> str:
    if not file.is_file():
        return ""
    try:
        found = _json(file)
    except SourceError:
        return ""
    return f"{found.get('module')} {found.get('registered_name')}"


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{file} cannot be read ({error}); copy the preset again") from error
    return found if isinstance(found, dict) else {}
