"""Describe a version of a model directory in sentences, for `hubserve inspect`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ._errors import InspectError
from .integrity import FileRecord, sha256
from .manifest import FILE


def describe(
    folder: Path, manifest: Mapping[str, Any], in_words: Callable[[Mapping[str, Any]], tuple[str, str]]
) -> Iterator[str]:
    """Return the lines that `hubserve inspect` prints.

    Args:
        folder: The version's folder.
        manifest: The manifest in that folder.
        in_words: Describes a preprocessing in words: the size of the resized image, and the numbers for its pixels.
    """
    model, source, parity, shape = (manifest[key] for key in ("model", "source", "parity", "preprocessing"))
    yield f"{folder}"
    yield ""
    # Manifests of earlier releases do not say whether the parameters are constants.
    constants = ", frozen" if model.get("frozen") else ""
    yield f"model        {_outputs(model)}; {model['parameters'] / 1e6:.1f} million parameters{constants}"
    if "head" in model:
        yield f"head         {described_head(model)}"
    if manifest["labels"]:
        yield f"labels       {_labels(folder / manifest['labels']['file'])}"
    picture, numbers = _preprocessed(shape, in_words)
    yield (
        f"images       to {picture}; the central {shape['crop_fraction']:g} of each side; "
        f"at most {shape['max_pixels'] / 1e6:g} million pixels"
    )
    yield f"numbers      {numbers}"
    for evidence in manifest.get("preprocessing_evidence", ()):
        yield f"             known from: {evidence}"
    yield f"batches      of {', '.join(map(str, manifest['batch_sizes']))}; {parity['warmup_records']} warm-up records"
    best = "" if parity["top1_equal"] is None else f", same best class on {parity['top1_equal']}"
    yield (
        f"parity       with the source model on {parity['images']} images: {_compared(model)} within "
        f"{parity['max_error']:.1e} of their range (tolerance {parity['tolerance']:g}){best}"
    )
    yield from _quality(manifest)
    yield f"source       {source['handle']} ({source['kind']})"
    for file in source["files"]:
        yield f"             sha256 {file['sha256']}  {file['path']} ({file['bytes']:,} bytes)"
    program = manifest["hubserve"]
    yield (
        f"exported by  hubserve {program['version']} ({program['commit'] or 'no commit recorded'}), "
        f"TensorFlow {manifest['tensorflow']}"
    )
    yield ""
    for name, signature in manifest["signatures"].items():
        yield f"signature {name}"
        for side in ("inputs", "outputs"):
            for tensor, info in signature[side].items():
                yield (
                    f"  {side[:-1]:6}  {tensor:12} {info['dtype']:8} "
                    f"[{', '.join('N' if dim is None else str(dim) for dim in info['shape'])}]"
                )


def verified(folder: Path, files: Sequence[FileRecord]) -> Iterator[str]:
    """Return the lines that `hubserve inspect --verify` prints for a version that is as it was published."""
    size = sum(file.bytes for file in files)
    yield f"{folder}: all {len(files)} files, {size:,} bytes, are as they were published"
    yield f"manifest sha256 {sha256(folder / FILE)}"


def _preprocessed(
    shape: Mapping[str, Any], in_words: Callable[[Mapping[str, Any]], tuple[str, str]]
) -> tuple[str, str]:
    """Describe the preprocessing: the size of the resized image, and the numbers for its pixels."""
    if "scale" in shape:
        return in_words(shape)
    # The form that hubserve 0.1.0 wrote.
    low, high = shape["pixel_range"]
    return f"{shape['height']} x {shape['width']}, {shape['resize']}", f"pixels from {low:g} to {high:g}"


def _compared(model: Mapping[str, Any]) -> str:
    return {"probabilities": "scores", "features": "features"}.get(model["source_gives"], "logits")


def _quality(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Return the lines about a version's quality; manifests of earlier releases do not have them."""
    parity, examples = manifest["parity"], manifest.get("examples")
    if "max_change" in parity:
        yield (
            f"steady       an image alone, in other batches and beside copies of itself: within "
            f"{parity['max_change']:.1e} of the range (tolerance {parity['change_tolerance']:g})"
        )
    if examples:
        least = "" if manifest["min_accuracy"] is None else f", at least {manifest['min_accuracy']:.1%} was asked for"
        yield (
            f"examples     {examples['right']} of {examples['images']} right ({examples['accuracy']:.1%}), of "
            f"{examples['classes']} classes{least}"
        )
    for text in manifest.get("warnings", ()):
        yield f"warning      {text}"


def described_head(head: Mapping[str, Any]) -> str:
    """Describe a head, as recorded in the manifest."""
    kind = {
        "exclusive": "classes that exclude each other",
        "binary": "one number for two classes, scores 1 - p and p",
        "independent": "independent labels",
    }[head["head"]]
    if head["activation"] == "none":
        kind = "the model's own numbers as scores"
    threshold = "" if head["threshold"] is None else f"; a label counts from {head['threshold']:g}"
    return f"{kind}; the model gives {head['source_gives']} ({head['head_evidence']}){threshold}"


def _outputs(model: Mapping[str, Any]) -> str:
    if "features" in model:
        return f"{model['features']} features"
    background = ", class 0 is background" if model["background"] else ""
    return f"{model['classes']} classes{background}, the best {model['top_k']} answered"


def _labels(file: Path) -> str:
    try:
        labels = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InspectError(
            f"{file} cannot be read ({error.strerror}); the model directory is incomplete: export it again"
        ) from error
    return ", ".join(labels[:3]) + (f", ... {labels[-1]}" if len(labels) > 3 else "")
