"""Find the versions in a model's base folder, by TensorFlow Serving's rule."""

from __future__ import annotations

from pathlib import Path

from ._errors import InspectError

GRAPH = "saved_model.pb"
# TensorFlow Serving's version numbers have 64 bits; it ignores folders with larger numbers.
LARGEST_VERSION = 2**63 - 1


def version_folders(base: Path) -> dict[int, Path]:
    """Return the folder of each version in a base folder, in ascending order.

    A version is a child folder whose whole name is a decimal integer of at most 64 bits; leading zeros are allowed, as
    in TensorFlow Serving (`file_system_storage_path_source.cc`). All other children are ignored.

    Raises:
        OSError: `base` is missing, is not a folder, or cannot be read.
    """
    found = {
        int(child.name): child
        for child in base.iterdir()
        if child.name.isascii() and child.name.isdecimal() and int(child.name) <= LARGEST_VERSION and child.is_dir()
    }
    return dict(sorted(found.items()))


def models_in(folder: Path) -> list[Path]:
    """Return the base folders of models in a folder, by name: a user may have named the folder above a model."""
    try:
        return [child for child in sorted(folder.iterdir()) if child.is_dir() and version_folders(child)]
    except OSError:
        return []


def versions(base: Path) -> list[int]:
    """Return the versions in a base folder, ascending; an empty list if there is no such folder."""
    return list(version_folders(base)) if base.is_dir() else []


def version_folder(base: Path, version: int | None = None) -> Path:
    """Return the folder of a version: the newest one, or the given one.

    Raises:
        InspectError: `base` does not hold versions, or not this one.
    """
    there = version_folders(base) if base.is_dir() else {}
    if not there:
        within = models_in(base)
        hint = (
            f"; did you mean its parent, {base.parent}?"
            if (base / GRAPH).is_file()
            else f"; it holds models: give one of them, such as {within[0]}"
            if within
            else "; export a model into it with hubserve export"
        )
        raise InspectError(
            f"{base} holds no versions of a model{hint}"
            if base.is_dir()
            else f"{base} is not a folder; give a model's base folder"
        )
    if version is None:
        version = max(there)
    if version not in there:
        raise InspectError(f"{base} does not have version {version}; it has {', '.join(map(str, there))}")
    return there[version]
