"""Read class names: one in each line, line i is class i."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ._errors import LabelsError

_BACKGROUND = "background"
# ImageNet's 1000 classes with "background" before them, in the order of TF-Slim's models.
_IMAGENET_WITH_BACKGROUND = 1001


@dataclass(frozen=True)
class Labels:
    """The names of a model's classes, and whether class 0 is background, for images of no other class."""

    names: tuple[str, ...]
    background: bool


def for_model(path: Path | None, classes: int, background: bool | None = None) -> Labels:
    """Return the names of a model's classes.

    Args:
        path: A text file in UTF-8; None: ImageNet's names, which fit models with 1001 (with background) and 1000
            classes.
        classes: The number of the model's classes.
        background: Whether class 0 is background; None: the names decide. If it is, the file may leave it out.

    Raises:
        LabelsError: The file cannot be read, does not fit the number of classes, or contradicts `background`.
    """
    names, where = (_imagenet(classes), "ImageNet") if path is None else (_read(path), f"the labels file {path}")
    if background and len(names) == classes - 1:
        names = (_BACKGROUND, *names)
    if len(names) != classes:
        hint = (
            "; if the model has a background class before them, give `background`"
            if len(names) == classes - 1
            else "; line i names class i (if these are features, give `kind` feature_vector)"
        )
        raise LabelsError(f"{where} has {len(names)} lines, and the model has {classes} classes{hint}")
    found = names[0].lower() == _BACKGROUND
    if background is not None and background != found:
        raise LabelsError(
            f"{'`background`' if background else '`no_background`'} was given, and class 0 of {classes} is "
            f"{names[0]!r} in {where}; one of them must be wrong"
        )
    return Labels(names, found)


def given(path: Path | None) -> int | None:
    """Return the number of names in a file; None without a file.

    Raises:
        LabelsError: The file cannot be read.
    """
    return None if path is None else len(_read(path))


def _read(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsError(
            f"the labels file {path} cannot be read ({error}); it must be text in UTF-8, one label in each line"
        ) from error
    names = tuple(line.strip() for line in text.splitlines())
    if "" in names:
        raise LabelsError(f"line {names.index('') + 1} of the labels file {path} is empty; every class needs a name")
    return _without_numbers(names)


def _without_numbers(names: tuple[str, ...]) -> tuple[str, ...]:
    """Remove the numbers of Teachable Machine from names such as "0 cat" and "1 dog"."""
    numbered = [name.partition(" ") for name in names]
    if len(names) > 1 and all(number == str(line) and name for line, (number, _, name) in enumerate(numbered)):
        return tuple(name.strip() for *_, name in numbered)
    return names


def _imagenet(classes: int) -> tuple[str, ...]:
    file = resources.files("hubserve_export") / "data" / "imagenet_labels.txt"
    names = tuple(file.read_text(encoding="utf-8").splitlines())
    if classes == _IMAGENET_WITH_BACKGROUND:
        return names
    if classes == _IMAGENET_WITH_BACKGROUND - 1:
        return names[1:]
    raise LabelsError(
        f"the model has {classes} classes, which are not ImageNet's; name them with `labels`, "
        f"{classes} lines, one label each (if these are features, give `kind` feature_vector)"
    )
