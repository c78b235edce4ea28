"""Read files beside a model that describe its preprocessing: of transformers, timm, KerasHub and Teachable Machine.

TensorFlow is not needed. If a file with one of these names cannot be understood, that is an error: it is never ignored.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubserve_model.manifest import strict_json

from ._errors import PreprocessingError

_HUGGING_FACE = "preprocessor_config.json"
_KERAS_HUB = ("image_converter.json", "preprocessor.json", "task.json")
_TIMM = "config.json"
_LABELS = "labels.txt"
# The description of a network may take megabytes; a longer file with this name is something else.
_MOST_BYTES = 1 << 24
# A compressed file may be much larger after decompression.
_CONFIG_BYTES = 1 << 27
# The numbers of PIL.Image.Resampling.
_PILLOW = {0: "nearest", 1: "lanczos3", 2: "bilinear", 3: "bicubic", 4: "area"}
_INTERPOLATIONS = {
    **{name: name for name in ("nearest", "bilinear", "bicubic", "lanczos3", "area")},
    "lanczos": "lanczos3",
    "box": "area",
}
_TEACHABLE = re.compile(r"\d+ \S.*")


@dataclass(frozen=True)
class Sidecar:
    """Hold what a file says: fields of `Preprocessing`, perhaps the input's size, and the file's name.

    Sidecar({"scale": (1 / 255,), "offset": (0.0,)}, (224, 224), "preprocessor_config.json")
    """

    fields: Mapping[str, Any]
    size: tuple[int, int] | None
    name: str


def find(model: Path) -> Sidecar | None:
    """Find and read the description beside a model, or inside a Keras file.

    Args:
        model: The given folder or file.

    Raises:
        PreprocessingError: There is a file, and it cannot be understood.
    """
    folder = model if model.is_dir() else model.parent
    if model.suffix == ".keras" and model.is_file() and (found := _in_keras_file(model)):
        return found
    found = _in_folder(folder)
    # Some tools write a SavedModel into a folder inside the model's: saved_model/1, model.savedmodel.
    while found is None and model.is_dir() and _is_wrapper(folder):
        folder = folder.absolute().parent
        found = _in_folder(folder)
    return found


def _is_wrapper(folder: Path) -> bool:
    return folder.name.isdigit() or folder.name in ("saved_model", "model.savedmodel")


def _in_folder(folder: Path) -> Sidecar | None:
    if (folder / _HUGGING_FACE).is_file():
        return _understood(folder / _HUGGING_FACE, _hugging_face)
    for name in _KERAS_HUB:
        file = folder / name
        if file.is_file() and (config := _image_converter(_json(file))) is not None:
            return _understood(file, lambda _, config=config: _converter(config))
    if (folder / _TIMM).is_file():
        document = _json(folder / _TIMM)
        if isinstance(document, dict) and isinstance(_timm_config(document), dict):
            return _understood(folder / _TIMM, _timm)
    return _teachable_machine(folder)


def _in_keras_file(file: Path) -> Sidecar | None:
    """Return the image converter of a KerasHub task that was saved as a whole."""
    try:
        with zipfile.ZipFile(file) as archive, archive.open("config.json") as member:
            document = json.loads(member.read(_CONFIG_BYTES))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, RecursionError):
        return None
    config = _image_converter(document)
    if config is None:
        return None
    try:
        fields, size = _converter(config)
    except (KeyError, TypeError, ValueError) as error:
        raise PreprocessingError(_unclear(file, error)) from error
    return Sidecar(fields, size, f"the image converter in {file.name}")


def _understood(file: Path, read: Any) -> Sidecar:
    try:
        fields, size = read(_json(file))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise PreprocessingError(_unclear(file, error)) from error
    return Sidecar(fields, size, file.name)


def _unclear(file: Path, error: Exception) -> str:
    return (
        f"{file} describes the model's preprocessing in a way that is not understood ({type(error).__name__}: "
        f"{error}); give the whole preprocessing with `preprocessing`, or move the file away"
    )


def _json(file: Path) -> Any:
    try:
        if file.stat().st_size > _MOST_BYTES:
            return None
        return strict_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PreprocessingError(f"{file} cannot be read ({error}); repair it, or move it away") from error


def _hugging_face(document: Any) -> tuple[dict[str, Any], tuple[int, int] | None]:
    """Read `preprocessor_config.json` of transformers: resize, center crop, rescale, normalize."""
    fields: dict[str, Any] = {}
    factor = float(document.get("rescale_factor", 1 / 255)) if document.get("do_rescale", True) else 1.0
    mean, std = [0.0], [1.0]
    if document.get("do_normalize", "image_mean" in document):
        mean, std = _list(document["image_mean"]), _list(document["image_std"])
    fields["scale"] = tuple(factor / value for value in std)
    fields["offset"] = tuple(-one / other for one, other in zip(mean, std, strict=True))
    if document.get("rescale_offset") and factor != 1:
        # EfficientNet's convention: x * factor - 1.
        fields["offset"] = tuple((-1 - one) / other for one, other in zip(mean, std, strict=True))
    fields["interpolation"] = _interpolation(document.get("resample", 2))
    cropped = _size(document.get("crop_size")) if document.get("do_center_crop") else None
    size = document.get("size") if document.get("do_resize", True) else None
    shortest = _shortest(document, size)
    if size is None:
        return fields, cropped
    if shortest is None:
        whole = _size(size)
        if cropped is None or whole is None or cropped == whole:
            return fields, whole
        return {**fields, "crop_fraction": cropped[0] / whole[0]}, cropped
    share = document.get("crop_pct")
    if cropped is None and share is not None:
        # ConvNeXT: small inputs are cut out of a larger image, large ones use the whole image.
        side = (shortest, shortest)
        return ({**fields, "resize": "crop", "crop_fraction": share} if shortest < 384 else fields), side
    if cropped is None:
        raise ValueError("the shortest edge is resized and nothing is cropped, so that images differ in size")
    return {**fields, "resize": "crop", "crop_fraction": _fraction(cropped[0], shortest)}, cropped


def _shortest(document: Mapping[str, Any], size: Any) -> int | None:
    if isinstance(size, dict):
        return int(size["shortest_edge"]) if "shortest_edge" in size else None
    kind = str(document.get("image_processor_type") or document.get("feature_extractor_type") or "")
    # An integer is the shortest edge for processors that crop, and both sides for the others.
    of_shortest = document.get("do_center_crop") or "ConvNext" in kind
    return int(size) if isinstance(size, int) and of_shortest else None


def _timm_config(document: Mapping[str, Any]) -> Any:
    return document.get("pretrained_cfg", document if "crop_pct" in document and "mean" in document else None)


def _timm(document: Any) -> tuple[dict[str, Any], tuple[int, int] | None]:
    """Read `config.json` of timm as timm.data.create_transform does in evaluation."""
    config = _timm_config(document)
    mean, std = _list(config["mean"]), _list(config["std"])
    fields: dict[str, Any] = {
        "scale": tuple(1 / (255 * value) for value in std),
        "offset": tuple(-one / other for one, other in zip(mean, std, strict=True)),
        "interpolation": _interpolation(config.get("interpolation", "bilinear")),
    }
    channels, height, width = config["input_size"]
    if channels == 1:
        fields["channels"] = "luminance"
    mode = config.get("crop_mode") or "center"
    share = float(config.get("crop_pct") or 0.875)
    if mode == "center":
        fields |= {"resize": "crop", "crop_fraction": share}
    elif mode == "squash":
        fields |= {"crop_fraction": share}
    else:
        raise ValueError(f"crop_mode is {mode!r}")
    return fields, (int(height), int(width))


def _image_converter(document: Any) -> dict[str, Any] | None:
    """Return the configuration of a KerasHub ImageConverter, at any depth of a document."""
    if not isinstance(document, dict):
        return None
    config = document.get("config")
    if not isinstance(config, dict):
        return None
    if "ImageConverter" in str(document.get("class_name", "")):
        return config
    for key in ("image_converter", "preprocessor"):
        if (found := _image_converter(config.get(key))) is not None:
            return found
    return None


def _converter(config: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[int, int] | None]:
    """Read KerasHub's ImageConverter, whose defaults are a crop to the aspect ratio and no antialiasing."""
    scale, offset = config.get("scale"), config.get("offset")
    fields: dict[str, Any] = {
        "scale": tuple(_list(1.0 if scale is None else scale)),
        "offset": tuple(_list(0.0 if offset is None else offset)),
        "interpolation": _interpolation(config.get("interpolation") or "bilinear"),
        "antialias": bool(config.get("antialias", False)),
    }
    if config.get("pad_to_aspect_ratio"):
        fields["resize"] = "pad_to_aspect_ratio"
    elif config.get("crop_to_aspect_ratio", True):
        fields["resize"] = "crop_to_aspect_ratio"
    size = config.get("image_size") or [side for side in (config.get("height"), config.get("width")) if side]
    return fields, (int(size[0]), int(size[1])) if len(size) == 2 else None


def _teachable_machine(folder: Path) -> Sidecar | None:
    """Recognise Teachable Machine's export: `keras_model.h5` or `model.savedmodel` beside numbered labels.

    Its own example code uses ImageOps.fit(image, (224, 224), LANCZOS) and x / 127.5 - 1.
    """
    labels = folder / _LABELS
    if not labels.is_file() or not any((folder / name).exists() for name in ("keras_model.h5", "model.savedmodel")):
        return None
    try:
        lines = labels.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    if not lines or not all(map(_TEACHABLE.fullmatch, lines)):
        return None
    fields = {
        "scale": (1 / 127.5,),
        "offset": (-1.0,),
        "resize": "crop_to_aspect_ratio",
        "interpolation": "lanczos3",
    }
    return Sidecar(fields, None, "the files of Teachable Machine")


def _interpolation(value: Any) -> str:
    return _PILLOW[value] if isinstance(value, int) else _INTERPOLATIONS[str(value).lower()]


def _size(value: Any) -> tuple[int, int] | None:
    if isinstance(value, int):
        return value, value
    return (int(value["height"]), int(value["width"])) if isinstance(value, dict) and "height" in value else None


def _fraction(crop: int, shortest: int) -> float:
    """Return a crop fraction for which `floor(crop / fraction)` gives the shortest edge again."""
    return crop / shortest if math.floor(crop / (crop / shortest)) == shortest else crop / (shortest + 1e-6)


def _list(value: Any) -> list[float]:
    return [float(one) for one in value] if isinstance(value, list | tuple) else [float(value)]


def files(folder: Path) -> Iterator[Path]:
    """Return the files in a folder that `find` would read."""
    for name in (_HUGGING_FACE, *_KERAS_HUB, _TIMM, _LABELS):
        if (folder / name).is_file():
            yield folder / name
