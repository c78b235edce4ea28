"""Measure the accuracy of a new version on the user's own images: a folder of images for each class."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from . import _head
from ._errors import AccuracyError, ExamplesError
from ._head import Head
from ._progress import Progress
from ._version_session import Run

_OK = 0
_DEFAULT_THRESHOLD = 0.5
_WORST_PAIRS = 5
_NAMED = 3
# A label may contain a slash, and a folder's name cannot.
_SEPARATORS = re.compile(r"[\s_/-]+")

Item = TypeVar("Item")


@dataclass(frozen=True)
class Examples:
    """Images whose class is known.

    Attributes:
        folder: The folder that holds a folder for each class.
        files: The image files of each class with examples, by the class's number.
    """

    folder: Path
    files: Mapping[int, Sequence[Path]]

    def pairs(self, at_most: int | None = None) -> list[tuple[Path, int]]:
        """Return files with their class numbers, class by class.

        Args:
            at_most: The most files to return, spread evenly over the classes and over the files of each class. None:
                all.
        """
        classes = sorted(self.files)
        most = max((len(files) for files in self.files.values()), default=0)
        if at_most is not None:
            most = max(at_most // len(classes), 1)
            classes = _spread(classes, at_most)
        return [(file, number) for number in classes for file in _spread(self.files[number], most)]


@dataclass(frozen=True)
class Confusion:
    """Images of one class that were classified as another: `Confusion("cat", "dog", 3)`."""

    label: str
    answered: str
    images: int


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a model on its examples.

    Attributes:
        images: How many images could be decoded.
        right: How many were classified correctly. With independent labels, the folder's label has at least the
            threshold (0.5 by default); with all other heads, the best class is the folder's.
        accuracy: right / images.
        classes: How many classes have examples.
        unreadable: How many files the model cannot decode; they are not counted in `images`.
        confusions: The pairs of classes that were confused most often, at most five.
    """

    images: int
    right: int
    accuracy: float
    classes: int
    unreadable: int
    confusions: tuple[Confusion, ...]

    def described(self) -> str:
        """Describe the accuracy in one line."""
        text = f"{self.right} of {self.images} examples right ({self.accuracy:.1%}), of {self.classes} classes"
        if self.confusions:
            text += "; most often wrong: " + ", ".join(
                f"{pair.label} taken for {pair.answered} ({pair.images})" for pair in self.confusions
            )
        if self.unreadable:
            files = "1 file" if self.unreadable == 1 else f"{self.unreadable} files"
            text += f"; left out {files} that cannot be decoded"
        return text


def check(folder: Path | None, least: float | None) -> None:
    """Check the options before a model is loaded.

    Raises:
        ExamplesError: The folder is missing, or the least accuracy is not valid, or comes without examples.
    """
    if least is not None and not 0 <= least <= 1:
        raise ExamplesError(f"`min_accuracy` is {least:g}; give a share of the examples, 0 to 1")
    if folder is None:
        if least is not None:
            raise ExamplesError("`min_accuracy` needs examples; give a folder of them with `examples`")
    elif not folder.is_dir():
        raise ExamplesError(
            f"the examples' folder {folder} does not exist; give a folder that holds a folder of images for each class"
        )


def find(folder: Path, labels: Sequence[str]) -> Examples:
    """Find the examples of each class.

    A folder has the name of its label. If no label is exactly the same, upper and lower case, spaces, underscores and
    hyphens are ignored, as long as only one label fits. Files in deeper folders count; hidden files do not.

    Args:
        folder: The folder that holds a folder for each class.
        labels: The names of the classes.

    Raises:
        ExamplesError: The folder is missing, or a folder in it is empty or does not have the name of a label.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise ExamplesError(
            f"the examples in {folder} cannot be read ({error.strerror}); give a folder with `examples` that holds a "
            "folder of images for each class"
        ) from error
    if not inside:
        raise ExamplesError(
            f"{folder} does not hold folders; `examples` is a folder that holds a folder of images for each class, "
            "named as its label"
        )
    files: dict[int, list[Path]] = {}
    named: dict[int, Path] = {}
    for number, path in zip(_numbers(inside, labels), inside, strict=True):
        if number in named:
            raise ExamplesError(
                f"the examples' folders {named[number].name} and {path.name} are both of the label "
                f"{labels[number]!r}; put their images into one"
            )
        named[number] = path
        found = sorted(file for file in path.rglob("*") if file.is_file() and not _hidden(file, path))
        if not found:
            raise ExamplesError(f"{path} does not hold files; put images of {labels[number]!r} there, or remove it")
        files[number] = found
    return Examples(folder, files)


def _numbers(folders: Sequence[Path], labels: Sequence[str]) -> list[int]:
    exact, loose = _by_name(labels), _by_name([_loosely(label) for label in labels])
    numbers: list[int] = []
    unknown: list[str] = []
    for folder in folders:
        fitting = exact.get(folder.name) or loose.get(_loosely(folder.name), [])
        if len(fitting) > 1:
            raise ExamplesError(
                f"the examples' folder {folder} may be of {len(fitting)} classes, {', '.join(map(str, fitting))}, "
                f"whose labels are {', '.join(repr(labels[number]) for number in fitting)}; give the classes different "
                "`labels`, or remove the folder"
            )
        numbers += fitting
        if not fitting:
            unknown.append(folder.name)
    if unknown:
        rest = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        close = difflib.get_close_matches(unknown[0], labels, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"the labels are {_few(labels)}"
        raise ExamplesError(
            f"the examples' folders {', '.join(map(repr, unknown[:_NAMED]))}{rest} have names that are not labels of "
            f"the model; name each folder as its label ({hint})"
        )
    return numbers


def measure(
    run: Run,
    examples: Examples,
    labels: Sequence[str],
    batch_size: int,
    *,
    head: Head,
    progress: Progress | None = None,
) -> Accuracy:
    """Classify the examples with a version, through `serving_default`, as a server would.

    Args:
        run: The version in a session, from `_version_session.opened`.
        examples: The images with their classes.
        labels: The names of the classes.
        batch_size: How many images to run at once.
        head: The meaning of the scores.
        progress: Gets a report after each batch.

    Raises:
        ExamplesError: The model cannot decode any example of a class.
        ProofError: The signature fails.
    """
    independent = head.kind == _head.INDEPENDENT
    threshold = _DEFAULT_THRESHOLD if head.threshold is None else head.threshold
    pairs = examples.pairs()
    images, right = Counter[int](), 0
    wrong: Counter[tuple[int, str]] = Counter()
    for first in range(0, len(pairs), batch_size):
        read = [(data, number) for file, number in pairs[first : first + batch_size] if (data := _read(file))]
        if read:
            answer = run("serving_default", {"image_bytes": [data for data, _ in read]})
            rows = zip(read, answer["status"], answer["class_ids"], answer["scores"], answer["labels"], strict=True)
            for (_, number), status, class_ids, scores, names in rows:
                if status != _OK:
                    continue
                images[number] += 1
                there = (class_ids == number) & (scores >= threshold)
                if there.any() if independent else class_ids[0] == number:
                    right += 1
                else:
                    wrong[number, names[0].decode("utf-8")] += 1
        if progress is not None:
            progress.part(min(first + batch_size, len(pairs)), len(pairs))
    for number in examples.files:
        if not images[number]:
            raise ExamplesError(
                f"none of the {len(examples.files[number])} files of the examples of {labels[number]!r} is an image "
                "that can be decoded; give JPEG, PNG, GIF, BMP or WebP"
            )
    total = images.total()
    worst = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:_WORST_PAIRS]
    return Accuracy(
        images=total,
        right=right,
        accuracy=right / total,
        classes=len(examples.files),
        unreadable=len(pairs) - total,
        confusions=tuple(Confusion(labels[number], answered, count) for (number, answered), count in worst),
    )


def require(accuracy: Accuracy, least: float | None) -> None:
    """Compare an accuracy with the required one.

    Raises:
        AccuracyError: The accuracy is lower.
    """
    if least is not None and accuracy.accuracy < least:
        raise AccuracyError(f"{accuracy.described()}: less than `min_accuracy` {least:g}, so nothing was published")


def suspicion(accuracy: Accuracy) -> str | None:
    """Return a warning if a model is hardly better than guessing among the classes of its examples; else None."""
    if accuracy.classes < 2 or accuracy.accuracy > 1.2 / accuracy.classes:
        return None
    return (
        f"{accuracy.described()}: no better than guessing; are the pixels what the model was trained on "
        "(`preprocessing`), and `labels` in the order of its classes?"
    )


def _read(file: Path) -> bytes:
    """Return the file's bytes; empty if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _by_name(names: Sequence[str]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        numbers.setdefault(name, []).append(number)
    return numbers


def _loosely(name: str) -> str:
    # macOS decomposes the accents in file names.
    return _SEPARATORS.sub("", unicodedata.normalize("NFC", name)).casefold()


def _spread(items: Sequence[Item], at_most: int) -> list[Item]:
    """Return at most this number of the items, taken evenly."""
    count = min(len(items), at_most)
    return [items[place * len(items) // count] for place in range(count)]


def _few(labels: Sequence[str]) -> str:
    return ", ".join(map(repr, labels[:_NAMED])) + (", ..." if len(labels) > _NAMED else "")
