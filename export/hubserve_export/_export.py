"""Run the export, from a model's name to a published version."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from hubserve_model import integrity
from hubserve_model import manifest as manifests
from hubserve_model.batching_parameters import write_batching_parameters

from . import (
    _agreement,
    _examples,
    _finding,
    _freezing,
    _head,
    _image_model,
    _labels,
    _memory,
    _model_kind,
    _proof,
    _publish,
    _saved_model_file,
    _sidecars,
    _steady,
    _suspicion,
    _trial,
    _version_session,
    _warmup_records,
)
from ._errors import ModelError, OutputError
from ._examples import Accuracy, Examples
from ._exported_model import Classifier, ExportedModel, FeatureExtractor
from ._head import Head
from ._image_model import ImageModel, LoadedModel, entry_on_pictures
from ._labels import Labels
from ._options import DEFAULT_TOP_K, Options
from ._preprocessing import Preprocessing
from ._progress import Progress
from ._sidecars import Sidecar
from ._sources import Source, open_source
from ._trial import Photographs
from ._warnings import Warnings

_LABELS = "assets/labels.txt"
# Enough photographs to distinguish conventions, and few enough to be quick.
_EXAMPLES_TRIED = 200
# TensorFlow's message is "{{node}} path; the system's message [Op:name]".
_NODE_AND_OP = re.compile(r"\{\{.*?\}\}|\[Op:\w+\]\s*$")


@dataclass(frozen=True)
class Published:
    """A published version.

    Attributes:
        folder: The version's folder.
        kind: "classification" or "feature_vector".
        outputs: The number of classes or features.
        parity: The result of the proof.
        head: The meaning of a classifier's numbers, with the evidence; None for features.
        accuracy: The accuracy on the examples; None without examples.
        warnings: The warnings of the export.
        preprocessing: What happens to an image before the model sees it.
        evidence: The evidence for the preprocessing, in words.
        notes: Choices and fixed inputs for calling the source model, such as "keep_prob is 1".
        origin: The origin of a model from the hub, in words; None for other models.
    """

    folder: Path
    kind: str
    outputs: int
    parity: _proof.Parity
    head: Head | None = None
    accuracy: Accuracy | None = None
    warnings: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    evidence: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    origin: str | None = None


def export(options: Options, progress: Progress | None = None) -> Published:
    """Export a model as a version that TF Serving can load.

    Args:
        options: What to export, and how.
        progress: Gets a report of each step; None: no reports.

    Raises:
        ExportError: The export failed. The model's base folder is unchanged.
    """
    progress = progress or Progress()
    warnings = Warnings(strict=options.strict, tell=progress.warning)
    said = options.said_preprocessing()
    _examples.check(options.examples, options.min_accuracy)
    version = _publish.choose_version(options.output, options.version)
    photographs = _warmup_images(options.warmup_images)
    progress.step(f"opening {options.model}")
    with open_source(options.model, progress) as source:
        progress.step("loading")
        sidecar = _sidecars.find(source.given)
        loaded = _image_model.load(source, options, _size(said, sidecar))
        labels = _model_labels(options, loaded)
        examples = _examples_of(options, labels)
        progress.step("finding its preprocessing")
        tried_on = _tried_on(options, loaded, labels, examples, photographs)
        found = _finding.find(source, loaded, said, sidecar, tried_on, warnings.warn)
        preprocessing = found.preprocessing
        progress.step("asking it about the warm-up images")
        at_once = options.batch_sizes[-1]
        reference = _proof.ask(loaded.on_pictures(preprocessing), preprocessing, photographs, at_once)
        notes = (*loaded.entry.notes, *_compared_entries(options, loaded, preprocessing, reference))
        head = _head_of(options, loaded, reference.values)
        if head is not None:
            # The number of classes is known only now: one number for two classes, or numbers that looked like features.
            labels = labels or _labels.for_model(options.labels, head.classes, options.background)
            examples = examples or _examples_of(options, labels)
            reference = reference.read_by(head)
        # The reference above is the model with its variables, so that the proof also covers freezing.
        made = _freezing.frozen(loaded) if options.freeze else loaded
        model = _image_model.understood(made, preprocessing, head)
        del made
        exported = _exported_model(options, model, preprocessing, labels)
        _warmup_records.check_batch_sizes(options.batch_sizes, exported.byte_signatures, options.warmup)
        doubts = [] if head is None or labels is None else list(_suspicion.of_reference(reference, head, labels.names))
        if examples is None:
            # With examples, the measured accuracy decides instead.
            warnings.warn_all(doubts)
        signatures = exported.signatures()
        of_batches = (reference.images, options.batch_sizes, exported.byte_signatures)
        records = _warmup_records.plan(*of_batches, options.warmup)
        # A version without warm-up is proven on the same batches.
        proven_on = records or _warmup_records.plan(*of_batches)
        with _publish.staging(options.output, version) as folder:
            progress.step("saving")
            with _writing(options.output):
                exported.save(folder, signatures)
                write_batching_parameters(folder, options.batch_sizes)
                _warmup_records.write_warmup(folder, records)
            _saved_model_file.refuse_foreign(_saved_model_file.read(folder))
            facts = _facts(options, loaded, model, exported)
            # The proof loads the version into a session, and then needs the memory of the source model.
            del loaded, model, exported, signatures
            _memory.release()
            progress.step("proving that it answers as the source model does")
            names = None if labels is None else labels.names
            with _version_session.opened(folder) as run:
                parity = _proof.prove(run, folder, reference, proven_on, at_once, names, progress, facts.model_batch)
                parity = dataclasses.replace(parity, warmup_records=len(records))
                accuracy = None
                if examples is not None and head is not None and names is not None:
                    progress.step(f"asking it about the examples in {examples.folder}")
                    accuracy = _examples.measure(run, examples, names, at_once, head=head, progress=progress)
            if accuracy is not None:
                _examples.require(accuracy, options.min_accuracy)
                warnings.warn_all([] if (text := _examples.suspicion(accuracy)) is None else [text, *doubts])
            progress.step("publishing")
            with _writing(options.output):
                manifests.write(
                    folder,
                    _described(options, source, facts, folder, parity)
                    | {
                        "examples": None if accuracy is None else dataclasses.asdict(accuracy),
                        "min_accuracy": options.min_accuracy,
                        "warnings": list(warnings.texts),
                        "preprocessing_evidence": list(found.evidence),
                        "warmup": _warmup_records.described(records),
                        "entry": {"name": facts.entry, "notes": list(notes)},
                    },
                )
    return Published(
        options.output / str(version),
        facts.kind,
        facts.outputs,
        parity,
        head,
        accuracy,
        warnings.texts,
        preprocessing,
        found.evidence,
        notes,
        None if source.fetched is None else source.fetched.described(),
    )


@dataclass(frozen=True)
class _Facts:
    """Facts about the models for the manifest and the report. The models themselves do not stay in memory."""

    kind: str
    outputs: int
    described_outputs: Mapping[str, Any]
    preprocessing: Preprocessing
    entry: str
    model_batch: int
    #: The number of parameters that are constants; None if they are variables.
    constants: int | None


def _facts(options: Options, loaded: LoadedModel, model: ImageModel, exported: ExportedModel) -> _Facts:
    constants = _freezing.parameters(loaded) if options.freeze else None
    return _Facts(
        model.kind,
        model.outputs,
        exported.outputs(),
        exported.preprocessing,
        loaded.entry.name,
        loaded.entry.batch,
        constants,
    )


def _size(said: Mapping[str, Any], sidecar: Sidecar | None) -> tuple[int, int] | None:
    """Return height and width from a description, for a model that takes any size."""
    if "height" in said and "width" in said:
        return said["height"], said["width"]
    return None if sidecar is None else sidecar.size


def _tried_on(
    options: Options,
    model: LoadedModel,
    labels: Labels | None,
    examples: Examples | None,
    warmup: Mapping[str, bytes],
) -> Photographs | None:
    """Return the photographs for trying conventions: examples, else those whose class is known, else any."""
    if model.kind == _model_kind.FEATURE_VECTOR:
        return None
    if model.outputs == 1 and options.labels is not None:
        labels = _labels.for_model(options.labels, 2, options.background)
        examples = _examples_of(options, labels)
    if examples is not None:
        pairs = examples.pairs(_EXAMPLES_TRIED)
        classes = [frozenset({number}) for _, number in pairs]
        return Photographs([file.read_bytes() for file, _ in pairs], classes, "examples")
    known = None if labels is None else _trial.known_photographs(labels.names)
    return known or Photographs(list(warmup.values()), None, "photographs")


def _model_labels(options: Options, model: LoadedModel) -> Labels | None:
    # Labels for a single number are checked when its meaning is known.
    if model.kind == _model_kind.FEATURE_VECTOR or model.outputs == 1:
        return None
    return _labels.for_model(options.labels, model.outputs, options.background)


def _examples_of(options: Options, labels: Labels | None) -> Examples | None:
    if options.examples is None or labels is None:
        return None
    return _examples.find(options.examples, labels.names)


def _head_of(options: Options, loaded: LoadedModel, numbers: _proof.Array) -> Head | None:
    """Return the meaning of a classifier's numbers; None for features."""
    guessed = options.kind is None and "://" not in loaded.handle
    # A model that ends in pooling gives features, unless it averages probabilities.
    if loaded.kind == _model_kind.FEATURE_VECTOR and not (guessed and _head.are_shares(numbers)):
        return None
    given = _labels.given(options.labels)
    return _head.choose(numbers, loaded.ending, given, options.activation, options.threshold, loaded.handle)


def _compared_entries(
    options: Options, model: LoadedModel, preprocessing: Preprocessing, reference: _proof.Reference
) -> Iterator[str]:
    """Compare the exported function with the model's other functions that take images, and return remarks."""
    if not model.others:
        return iter(())
    pixels = reference.pixels
    again = np.asarray(model.on_pictures(preprocessing)(tf.constant(pixels)))
    if _steady.difference(reference.values[: len(pixels)], again) > _steady.TOLERANCE:
        # The proof reports a function whose answers vary.
        return iter(())
    others = {entry.name: entry_on_pictures(entry, preprocessing)(tf.constant(pixels)) for entry in model.others}
    return _agreement.compare(
        model.handle,
        model.entry.name,
        reference.values[: len(pixels)],
        {name: np.asarray(numbers) for name, numbers in others.items()},
        said=options.signature is not None,
    )


def _exported_model(
    options: Options, model: ImageModel, preprocessing: Preprocessing, labels: Labels | None
) -> ExportedModel:
    if labels is None or model.head is None:
        return FeatureExtractor(model, preprocessing)
    return Classifier(model, model.head, preprocessing, labels, _top_k(options.top_k, model.outputs))


def _top_k(wanted: int | None, classes: int) -> int:
    if wanted is None:
        return min(DEFAULT_TOP_K, classes)
    if wanted > classes:
        raise ModelError(f"`top_k` is {wanted}, and the model has {classes} classes; give {classes} at most")
    return wanted


@contextmanager
def _writing(base: Path) -> Iterator[None]:
    """Turn errors of writing a file, such as a full disk, into one sentence."""
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
    """Return encoded images by file name."""
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
        raise OutputError(f"{folder} does not hold files; give a folder of images with `warmup_images`")
    return images


def _described(
    options: Options,
    source: Source,
    facts: _Facts,
    folder: Path,
    parity: _proof.Parity,
) -> dict[str, Any]:
    """Describe the version when all other files are written; `manifest.write` adds the format and the program."""
    labels = folder / _LABELS
    return {
        "source": {
            "handle": source.handle,
            "kind": source.kind,
            **({} if source.fetched is None else {"hub": source.fetched.recorded()}),
            "files": [dataclasses.asdict(file) for file in source.files()],
        },
        "tensorflow": tf.__version__,
        "model": {
            "kind": facts.kind,
            # Constants are not among the saved variables.
            "parameters": _saved_model_file.parameters(folder) if facts.constants is None else facts.constants,
            "frozen": facts.constants is not None,
            **facts.described_outputs,
        },
        "signatures": _saved_model_file.signatures(_saved_model_file.read(folder)),
        "preprocessing": dataclasses.asdict(facts.preprocessing),
        "labels": {"file": _LABELS, "sha256": integrity.sha256(labels)} if labels.exists() else None,
        "batch_sizes": list(options.batch_sizes),
        "parity": dataclasses.asdict(parity),
        "files": [dataclasses.asdict(file) for file in integrity.records(folder)],
    }
