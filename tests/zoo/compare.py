"""Export one built model, and compare its byte path with the training library, in a process of its own.

PYTHONPATH=tests python -m zoo.compare NAME FOLDER SEEN
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from support.session import LoadedVersion
from zoo import catalogue, pictures, probe
from zoo.built import Array, Entry
from zoo.reference import Reference
from zoo.row import BUILT, REFERENCE, RESULT, Difference, Row

# Fewer than export's own, to save time: they only say which warm-up records are made.
BATCH_SIZES = (1, 2)
# The least logit, less the largest, that a softmax in float32 leaves: its score is e^-80, and float32 ends at e^-87.
_LEAST = -80.0
_MANIFEST = Path("assets.extra", "export.json")


def compare(
    entry: Entry,
    model: Path,
    asked: Reference,
    work: Path,
    seen_before: Path | None = None,
) -> Row:
    """Exports a saved model with no option, or else with what a person has to say, and compares.

    Args:
        entry: The model's place in the zoo.
        model: What was saved.
        asked: What the training library says of the images.
        work: A folder to work in, empty or not there.
        seen_before: A folder that keeps what models of each preprocessing see; None to keep nothing.
    """
    from hubserve_export import ExportError, Options, export

    work.mkdir(exist_ok=True)
    refused, last, folder = "", "", None
    given: Mapping[str, Any] = {}
    for options in _attempts(entry, work):
        try:
            folder = export(Options(str(model), work / "exported", batch_sizes=BATCH_SIZES, **options)).folder
            given = options
            break
        except ExportError as error:
            refused, last = refused or str(error), str(error)
    if folder is None:
        return Row(entry.name, entry.source, False, last)
    manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    files = pictures.files()
    logits = ask(LoadedVersion(folder), list(files.values()))
    seen = probe.pixels(manifest["preprocessing"], list(files.values()), seen_before)
    return Row(
        entry.name,
        entry.source,
        True,
        refused,
        tuple(sorted(given)),
        found(manifest),
        tuple(manifest.get("warnings") or ()),
        tuple(_differences(levels(asked, seen))),
        tuple(_differences(ranged(asked, asked.logits, logits))),
        float(ranged(asked, asked.logits, asked.swapped).max()),
    )


def ask(version: LoadedVersion, files: list[bytes]) -> Array:
    """The logits of the exported version for encoded images, float32 [N, C].

    Raises:
        ValueError: An image is answered with a status other than 0.
    """
    at_once = BATCH_SIZES[-1]
    answers = [version.run("logits", image_bytes=files[i : i + at_once]) for i in range(0, len(files), at_once)]
    status = np.concatenate([answer["status"] for answer in answers])
    if status.any():
        raise ValueError(f"the exported model answers with status {status.tolist()}")
    return np.concatenate([answer["logits"] for answer in answers])


def found(manifest: Mapping[str, Any]) -> str:
    """Return what the export found, and from what evidence, as the manifest says it."""
    said = manifest["preprocessing"]
    description = probe.described(said)
    evidence = "; ".join(manifest["preprocessing_evidence"])
    return f"{description.numbers()}; {description.picture()}" + (f"; {evidence}" if evidence else "")


def _attempts(entry: Entry, work: Path) -> list[dict[str, Any]]:
    """Nothing said; class names where the model has no ImageNet classes; and what else a person has to say."""
    attempts: list[dict[str, Any]] = [{}]
    if entry.labels:
        names = work / "labels.txt"
        names.write_text("".join(f"class {number}\n" for number in range(entry.labels)), encoding="utf-8")
        attempts.append({"labels": names})
    if entry.said:
        attempts.append({**attempts[-1], **entry.said})
    return attempts


def levels(asked: Reference, seen: Array) -> Array:
    """For each image, the largest difference of a pixel, in levels of 255."""
    expected = asked.pixels.reshape(len(asked.pixels), -1)
    if seen.shape != expected.shape:
        return np.full(len(expected), np.inf)
    each = np.abs((seen - expected).reshape(len(expected), -1, len(asked.levels)) / asked.levels)
    return each.max(axis=(1, 2))


def ranged(asked: Reference, expected: Array, found: Array) -> Array:
    """For each image, the largest difference of a logit as a part of their range.

    Only differences between the logits of exclusive classes mean something, so the largest is made 0 first. A softmax
    in float32 gives 0 to classes that are e^87 less likely than the best, and no logarithm brings their logits back:
    what is below `_LEAST` counts as that. One unit is the difference between two classes; of so few numbers, the range
    is that of all images.
    """
    expected, found = np.float64(expected), np.float64(found)
    if expected.shape[1] == 1:
        expected = np.concatenate([np.zeros_like(expected), expected], axis=1)
        found = found if found.shape[1] == 2 else np.concatenate([np.zeros_like(found), found], axis=1)
    if expected.shape != found.shape:
        return np.full(len(expected), np.inf)
    if asked.head != "sigmoid" or expected.shape[1] == 2:
        expected, found = (numbers - numbers.max(axis=1, keepdims=True) for numbers in (expected, found))
    if asked.head == "softmax":
        expected, found = (np.maximum(numbers, _LEAST) for numbers in (expected, found))
    spread = np.ptp(expected, axis=1) if expected.shape[1] > 2 else np.ptp(expected)
    return np.abs(found - expected).max(axis=1) / spread


def _differences(each: Array) -> list[Difference]:
    """The largest over the kinds that are decoded whole, and over the others."""
    large = np.array([kind in pictures.LARGE for kind in pictures.KINDS])
    both = []
    for which in (~large, large):
        worst = int(np.where(which, each, -1).argmax())
        both.append(Difference(float(each[worst]), pictures.KINDS[worst]))
    return both


def main(name: str, folder: Path, seen_before: Path) -> None:
    """Compares what `zoo.build` left in the folder, and writes the row there."""
    seen_before.mkdir(exist_ok=True)
    built = json.loads((folder / BUILT).read_text())
    with tempfile.TemporaryDirectory(prefix="zoo-") as work:
        asked = Reference.read(folder / REFERENCE)
        row = compare(catalogue.find(name), folder / built["model"], asked, Path(work), seen_before)
    (folder / RESULT).write_text(json.dumps(asdict(row)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
