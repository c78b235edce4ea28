"""Class names: one a line, line i is class i."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ._errors import LabelsError

# ImageNet's 1000 classes with "background" before them, as TF-Slim's models number them.
_IMAGENET_WITH_BACKGROUND = 1001


def for_model(path: Path | None, classes: int) -> tuple[str, ...]:
    """The names of a model's classes.

    Args:
        path: A text file in UTF-8, or None for ImageNet's names, which fit models of 1001 (with background) and 1000
            classes.
        classes: How many classes the model has.

    Returns:
        `classes` names.

    Raises:
        LabelsError: The file cannot be read, or the number of names is not the number of classes.
    """
    if path is None:
        return _imagenet(classes)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsError(
            f"the labels file {path} cannot be read ({error}); it must be text in UTF-8, one label a line"
        ) from error
    labels = tuple(line.strip() for line in text.splitlines())
    if "" in labels:
        raise LabelsError(f"line {labels.index('') + 1} of the labels file {path} is empty; every class needs a name")
    if len(labels) != classes:
        background = (
            "; the model seems to count a background class: put a line for it first"
            if len(labels) == classes - 1
            else ""
        )
        raise LabelsError(
            f"the labels file {path} has {len(labels)} lines, and the model has {classes} "
            f"classes{background or '; line i names class i'}"
        )
    return labels


def _imagenet(classes: int) -> tuple[str, ...]:
    file = resources.files("hubserve_export") / "data" / "imagenet_labels.txt"
    labels = tuple(file.read_text(encoding="utf-8").splitlines())
    if classes == _IMAGENET_WITH_BACKGROUND:
        return labels
    if classes == _IMAGENET_WITH_BACKGROUND - 1:
        return labels[1:]
    raise LabelsError(
        f"the model has {classes} classes, which are not ImageNet's; name them with --labels FILE, "
        f"{classes} lines, one label each"
    )
