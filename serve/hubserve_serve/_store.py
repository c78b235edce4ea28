"""The model's base folder: which versions it holds, and which of them to serve."""

from dataclasses import dataclass
from pathlib import Path

from ._errors import ModelDirectoryError

_GRAPH = "saved_model.pb"


@dataclass(frozen=True)
class VersionDirectory:
    """One version of a model on disk: ``VersionDirectory(Path("models/pnasnet/1"), 1)``."""

    path: Path
    version: int


def find_version(model_dir: Path, version: int | None = None) -> VersionDirectory:
    """Find a version of the model.

    Args:
        model_dir: The model's base folder, the one that holds its versions.
        version: The version's number; the highest there is by default.

    Raises:
        ModelDirectoryError: The folder is not there or is no base folder, or it has no such version.
    """
    if not model_dir.is_dir():
        raise ModelDirectoryError(
            f"there is no folder {model_dir}: give the model's base folder, the one that holds its versions"
        )
    versions = _versions(model_dir)
    if not versions:
        raise ModelDirectoryError(_why_no_version(model_dir))
    chosen = max(versions) if version is None else version
    if chosen not in versions:
        there = ", ".join(map(str, sorted(versions)))
        raise ModelDirectoryError(f"{model_dir} has no version {chosen}: choose one that is there ({there})")
    if not (versions[chosen] / _GRAPH).is_file():
        raise ModelDirectoryError(
            f"{versions[chosen]} holds no {_GRAPH}, so it is no model: export it again, or choose another version"
        )
    return VersionDirectory(versions[chosen], chosen)


def _versions(model_dir: Path) -> dict[int, Path]:
    # TF Serving's rule: a version is a child whose whole name is a decimal integer; leading zeros are allowed.
    return {
        int(child.name): child
        for child in model_dir.iterdir()
        if child.name.isascii() and child.name.isdecimal() and child.is_dir()
    }


def _why_no_version(model_dir: Path) -> str:
    if not (model_dir / _GRAPH).is_file():
        return (
            f"{model_dir} holds no version, that is no folder named by an integer: give the model's base folder, "
            f"or export a model into it with: hubserve export --output {model_dir}"
        )
    resolved = model_dir.resolve()
    if resolved.name.isascii() and resolved.name.isdecimal():
        return f"{model_dir} is one version of a model: give the model's base folder above it, {resolved.parent}"
    return (
        f"{model_dir} is a SavedModel without a version: move what it holds into a folder named by an integer "
        f"({model_dir / '1'}), then give {model_dir}"
    )
