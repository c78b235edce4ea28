"""Find the versions in a model's base folder, and choose those to serve."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubserve_model.versions import GRAPH, models_in, version_folders

from ._errors import ModelDirectoryError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class VersionDirectory:
    """One version of a model on disk: ``VersionDirectory(Path("models/pnasnet/1"), 1)``."""

    path: Path
    version: int


class Store:
    """A model's base folder, and the versions in it to serve: ``Store(Path("models/pnasnet")).find()``.

    Args:
        model_dir: The model's base folder, the one that holds its versions.
        wanted: The versions to serve; None: the highest.
        labels: Labels, with their versions. A label stands for one version for good: with labels, the versions that are
            found first stay the served ones.
    """

    def __init__(
        self, model_dir: Path, wanted: Collection[int] | None = None, labels: Mapping[str, int] | None = None
    ) -> None:
        self._model_dir = model_dir
        self._wanted = wanted
        self._labels = dict(labels or {})

    @property
    def pinned(self) -> bool:
        """Tell whether only the versions found are served; else a higher version that appears replaces them."""
        return self._wanted is not None or bool(self._labels)

    def look(self) -> list[VersionDirectory] | None:
        """Return the versions to serve now; None if the folder itself is missing.

        TF Serving makes the same difference (file_system_storage_path_source.cc, PollFileSystemForServable): a missing
        version is unloaded, and a missing folder may be a disk that comes back.
        """
        try:
            versions = version_folders(self._model_dir)
        except OSError:
            return None
        wanted = {max(versions)} if self._wanted is None and versions else set(self._wanted or ())
        return [VersionDirectory(versions[version], version) for version in sorted(wanted & set(versions))]

    def find(self) -> list[VersionDirectory]:
        """Return the versions to serve, at least one, ascending.

        Raises:
            ModelDirectoryError: The folder is missing or is not a base folder, a version is missing, or a label names a
                version that is not served.
        """
        if not self._model_dir.is_dir():
            raise ModelDirectoryError(
                f"there is no folder {self._model_dir}: give the model's base folder, which holds its versions"
            )
        versions = version_folders(self._model_dir)
        if not versions:
            raise ModelDirectoryError(_why_no_version(self._model_dir))
        chosen = [max(versions)] if self._wanted is None else sorted(set(self._wanted))
        for label, version in self._labels.items():
            if version not in chosen:
                raise ModelDirectoryError(
                    f"the label {label} names version {version}, which is not served: name a served version "
                    f"({', '.join(map(str, chosen))}), or also serve this one"
                )
        found = [self._require(versions, version) for version in chosen]
        if self.pinned:
            self._wanted = chosen
        return found

    def _require(self, versions: Mapping[int, Path], version: int) -> VersionDirectory:
        if version not in versions:
            there = ", ".join(map(str, sorted(versions)))
            raise ModelDirectoryError(f"{self._model_dir} does not have version {version}: choose one of {there}")
        if not (versions[version] / GRAPH).is_file():
            raise ModelDirectoryError(
                f"{versions[version]} does not hold {GRAPH}, so it is not a model: export it again, or choose "
                "another version"
            )
        return VersionDirectory(versions[version], version)


def name_of(model_dir: str | os.PathLike[str]) -> str:
    """Return the name of a model: its base folder's name as the user wrote it, without following links."""
    return os.path.basename(os.path.abspath(model_dir))


def _why_no_version(model_dir: Path) -> str:
    if within := models_in(model_dir):
        names = ", ".join(folder.name for folder in within)
        return f"{model_dir} holds models ({names}), and no version: give one of them, such as {within[0]}"
    if not (model_dir / GRAPH).is_file():
        return (
            f"{model_dir} does not hold versions (folders named by integers): give the model's base folder, "
            f"or export a model into it with: hubserve export --output {model_dir}"
        )
    resolved = model_dir.resolve()
    if resolved.name.isascii() and resolved.name.isdecimal():
        return f"{model_dir} is one version of a model: give the model's base folder above it, {resolved.parent}"
    return (
        f"{model_dir} is a SavedModel without a version: move what it holds into a folder named by an integer "
        f"({model_dir / '1'}), then give {model_dir}"
    )
