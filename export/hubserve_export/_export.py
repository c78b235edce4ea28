"""The export, from a model's name to a published version."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import tensorflow as tf

from . import (
    _image_model,
    _integrity,
    _kind,
    _labels,
    _manifest,
    _ops,
    _proof,
    _publish,
    _serving_files,
    _session,
    _written,
)
from ._classifier import Classifier
from ._errors import ModelError, OutputError
from ._feature_extractor import FeatureExtractor
from ._image_model import ImageModel, LoadedModel
from ._labels import Labels
from ._options import DEFAULT_TOP_K, Options
from ._preprocessing import DEFAULT_MAX_PIXELS, PRESETS, Preprocessing
from ._progress import Progress
from ._servable import Servable
from ._sources import Source, open_source

_LABELS = "assets/labels.txt"
# TensorFlow says "{{node}} path; what the system said [Op:name]".
_NODE_AND_OP = re.compile(r"\{\{.*?\}\}|\[Op:\w+\]\s*$")


@dataclass(frozen=True)
class Published:
    """A version that was published: its folder, the kind and number of its outputs, and how it was proven."""

    folder: Path
    kind: str
    outputs: int
    parity: _proof.Parity


def export(options: Options, progress: Progress | None = None) -> Published:
    """Exports a model as a version that TF Serving can load.

    Args:
        options: What to export, and how.
        progress: Told of each step; None for nobody.

    Raises:
        ExportError: Something is not as it must be. The model's base folder is as it was before.
    """
    progress = progress or Progress()
    said = options.said_preprocessing()
    version = _publish.choose_version(options.output, options.version)
    photographs = _warmup_images(options.warmup_images)
    progress.step(f"opening {options.model}")
    with open_source(options.model) as source:
        progress.step("loading")
        loaded = _image_model.load(source, _wanted(options))
        labels = _model_labels(options, loaded)
        preprocessing = _preprocessing(loaded, said)
        model = _image_model.understood(loaded, preprocessing)
        servable = _servable(options, model, preprocessing, labels)
        _serving_files.check_batch_sizes(options.batch_sizes, servable.byte_signatures)
        progress.step("asking it about the warm-up images")
        at_once = options.batch_sizes[-1]
        reference = _proof.ask(model, servable.preprocessing, photographs, at_once)
        signatures = servable.signatures()
        with _publish.staging(options.output, version) as folder:
            progress.step("saving")
            with _writing(options.output):
                servable.save(folder, signatures)
                _serving_files.write_batching(folder, options.batch_sizes)
                _serving_files.write_warmup(folder, reference.images, options.batch_sizes, servable.byte_signatures)
            _ops.refuse_foreign(_written.read(folder))
            progress.step("proving that it answers as the source model does")
            names = None if labels is None else labels.names
            with _session.opened(folder) as run:
                parity = _proof.prove(run, folder, reference, at_once, names, progress)
            progress.step("publishing")
            with _writing(options.output):
                _manifest.write(folder, _described(options, source, model, servable, folder, parity))
    return Published(options.output / str(version), model.kind, model.outputs, parity)


def _wanted(options: Options) -> _image_model.Wanted:
    return _image_model.Wanted(
        options.image_size,
        options.kind,
        options.classes,
        options.of_a_classifier(),
        options.signature,
        options.output_name,
    )


def _preprocessing(loaded: LoadedModel, said: dict[str, Any]) -> Preprocessing:
    fields = {"max_pixels": DEFAULT_MAX_PIXELS, **PRESETS["unit"], **said}
    return Preprocessing(**{**fields, "height": loaded.height, "width": loaded.width})


def _model_labels(options: Options, model: LoadedModel) -> Labels | None:
    if model.kind == _kind.FEATURE_VECTOR:
        return None
    return _labels.for_model(options.labels, model.outputs, options.background)


def _servable(options: Options, model: ImageModel, preprocessing: Preprocessing, labels: Labels | None) -> Servable:
    if labels is None:
        return FeatureExtractor(model, preprocessing)
    return Classifier(model, preprocessing, labels, _top_k(options.top_k, model.outputs))


def _top_k(wanted: int | None, classes: int) -> int:
    if wanted is None:
        return min(DEFAULT_TOP_K, classes)
    if wanted > classes:
        raise ModelError(f"`top_k` is {wanted}, and the model has {classes} classes; give {classes} at most")
    return wanted


@contextmanager
def _writing(base: Path) -> Iterator[None]:
    """Says in one sentence what the operating system says when a file cannot be written, above all of a full disk."""
    try:
        yield
    except OSError as error:
        raise _unwritable(base, error.strerror) from error
    except tf.errors.OpError as error:
        raise _unwritable(base, _NODE_AND_OP.sub("", error.message).rpartition("; ")[2].strip()) from error


def _unwritable(base: Path, reason: str | None) -> OutputError:
    return OutputError(
        f"the new version cannot be written to {base} ({reason}), and nothing was published; make room there, or "
        "give another `output`"
    )


def _warmup_images(folder: Path | None) -> dict[str, bytes]:
    """Encoded images by the names of their files."""
    if folder is None:
        shipped = resources.files("hubserve_export") / "data" / "photographs"
        files = sorted(shipped.iterdir(), key=lambda file: file.name)
        return {file.name: file.read_bytes() for file in files if file.name.endswith(".jpg")}
    try:
        images = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    except OSError as error:
        raise OutputError(
            f"the warm-up images in {folder} cannot be read ({error.strerror}); give a folder of images "
            "with `warmup_images`"
        ) from error
    if not images:
        raise OutputError(f"{folder} has no files in it; give a folder of images with `warmup_images`")
    return images


def _described(
    options: Options,
    source: Source,
    model: ImageModel,
    servable: Servable,
    folder: Path,
    parity: _proof.Parity,
) -> dict[str, Any]:
    """The manifest's own part, once all other files are there; `_manifest` adds the format and the program."""
    labels = folder / _LABELS
    return {
        "source": {
            "handle": source.handle,
            "kind": source.kind,
            "files": [dataclasses.asdict(file) for file in source.files()],
        },
        "tensorflow": tf.__version__,
        "model": {
            "kind": model.kind,
            "source_gives": model.gives,
            "parameters": _written.parameters(folder),
            **servable.outputs(),
        },
        "signatures": _written.signatures(_written.read(folder)),
        "preprocessing": dataclasses.asdict(servable.preprocessing),
        "labels": {"file": _LABELS, "sha256": _integrity.sha256(labels)} if labels.exists() else None,
        "batch_sizes": list(options.batch_sizes),
        "parity": dataclasses.asdict(parity),
        "files": [dataclasses.asdict(file) for file in _integrity.records(folder)],
    }
