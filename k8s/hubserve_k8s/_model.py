"""Read what the manifests need to know of a model, from its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from hubserve_model import InspectError, manifest
from hubserve_model.versions import version_folder, versions

from ._errors import ManifestsError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Model:
    """Hold what the manifests need to know of a model.

    Attributes:
        version: The version that is served.
        canary: A later version that is served beside it, or None.
        weights: Bytes of the version's variables.
        size: Bytes of the versions that are served.
        batch: Images in the largest batch that the server runs.
        pixels: Bytes of the numbers that the model takes for one image.
        max_pixels: Pixels of the largest image that is decoded.
        classifies: Whether the answers are classes, and not features.
        tensorflow: The TensorFlow that exported each version that is served; empty where its manifest does not say it.
        source: What the model was exported from: a path, an address or a name.
    """

    version: int
    canary: int | None
    weights: int
    size: int
    batch: int
    pixels: int
    max_pixels: int
    classifies: bool
    tensorflow: tuple[str, ...]
    source: str

    @property
    def versions(self) -> list[int]:
        """The versions that the model's image holds."""
        return [self.version] if self.canary is None else [self.version, self.canary]


def read_model(base: Path, version: int | None, *, canary: bool) -> Model:
    """Read a model directory.

    Args:
        base: The base folder, which holds versions.
        version: The version to serve. None is the newest; with `canary` the newest but one.
        canary: Whether the newest version is served beside it.

    Raises:
        InspectError: There is no such version, or its manifest cannot be read.
        ManifestsError: `canary` finds no later version.
    """
    there = versions(base)
    if version is None and canary and len(there) > 1:
        version = there[-2]
    folder = version_folder(base, version)
    chosen = int(folder.name)
    if canary and not any(other > chosen for other in there):
        raise ManifestsError(
            f"canary needs a version after {chosen}, and {base} has none: export one, or name an earlier version with "
            "--version"
        )
    later = there[-1] if canary else None
    document = manifest.read(folder)
    documents = [document] if later is None else [document, manifest.read(version_folder(base, later))]
    facts = _Facts(document, folder)
    return Model(
        version=chosen,
        canary=later,
        weights=_bytes(facts, "variables/"),
        size=sum(_bytes(_Facts(each, folder)) for each in documents),
        batch=max(facts.numbers("batch_sizes")),
        # Whatever the model's own type, an image is resized in float32.
        pixels=4 * 3 * facts.number("preprocessing", "height") * facts.number("preprocessing", "width"),
        max_pixels=facts.number("preprocessing", "max_pixels"),
        classifies="features" not in facts.get(dict, "model"),
        tensorflow=tuple(str(each.get("tensorflow", "")) for each in documents),
        source=facts.get(str, "source", "handle"),
    )


class _Facts:
    """Read what a manifest must have; what it lacks is an error that names it."""

    def __init__(self, document: dict[str, Any], folder: Path) -> None:
        self._document, self.folder = document, folder

    def get(self, kind: type[_T], *path: str) -> _T:
        found: Any = self._document
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if not isinstance(found, kind):
            self.lacks(*path)
        return found

    def number(self, *path: str) -> int:
        return self._positive(self.get(int, *path), path)

    def numbers(self, *path: str) -> list[int]:
        found = [self._positive(value, path) for value in self.get(list, *path)]
        return found or self.lacks(*path)

    def _positive(self, value: object, path: tuple[str, ...]) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.lacks(*path)
        return value

    def lacks(self, *path: str) -> NoReturn:
        raise InspectError(
            f"the manifest of {self.folder} has no possible value of {'.'.join(path)}; export the model again"
        )


def _bytes(facts: _Facts, below: str = "") -> int:
    files = [_Facts(file, facts.folder) for file in facts.get(list, "files") or facts.lacks("files")]
    sizes = [file.get(int, "bytes") for file in files if file.get(str, "path").startswith(below)]
    return sum(sizes) if all(size >= 0 for size in sizes) else facts.lacks("files.bytes")
