"""Where a model comes from: the hub, a folder, an archive, or this package."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import _archive, _efficientnet, _hub
from ._errors import SourceError
from ._scratch import private_folder


@dataclass(frozen=True)
class SourceFile:
    """One file of the source, for the manifest: path inside the source, size in bytes, SHA-256 in hex."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """A model as it was found, before it is loaded.

    Attributes:
        handle: What names it to others: the hub's URL, or the path as given.
        kind: "hub", "directory", "archive" or "builtin".
        path: The SavedModel's folder; for "builtin" the file of weights.
    """

    handle: str
    kind: str
    path: Path

    def files(self) -> tuple[SourceFile, ...]:
        """Reads and hashes every file of the source."""
        root = self.path if self.path.is_dir() else self.path.parent
        paths = sorted(path for path in root.rglob("*") if path.is_file()) if self.path.is_dir() else [self.path]
        return tuple(
            SourceFile(path.relative_to(root).as_posix(), path.stat().st_size, _sha256(path)) for path in paths
        )


@contextmanager
def open_source(model: str) -> Iterator[Source]:
    """Makes the model available on this machine for as long as the context lasts.

    Args:
        model: A hub handle or URL, the folder of a SavedModel, a `.tar.gz` of one, or `efficientnet-lite0`.

    Raises:
        SourceError: There is no such thing, or it cannot be had.
    """
    path = Path(model)
    if path.is_dir():
        yield _directory(model, path)
    elif path.is_file():
        if not model.endswith((".tar.gz", ".tgz")):
            raise SourceError(
                f"{model} is a file, but not a .tar.gz; give the folder of a SavedModel, or pack it as .tar.gz"
            )
        with private_folder() as folder:
            yield Source(model, "archive", _archive.unpack(path, folder))
    elif model == _efficientnet.NAME:
        yield Source(model, "builtin", _efficientnet.weights_path())
    elif _hub.is_handle(model) and not model.startswith(("/", ".")):
        yield Source(_hub.url(model), "hub", _hub.fetch(model))
    else:
        raise SourceError(
            f"{model} is not there; give a hub URL or handle, the folder of a SavedModel, a .tar.gz of one, "
            f"or {_efficientnet.NAME}"
        )


def _directory(model: str, path: Path) -> Source:
    if (path / "saved_model.pb").is_file():
        return Source(model, "directory", path)
    inside = sorted(found.parent for found in path.glob("*/saved_model.pb"))
    hint = f"; did you mean {inside[-1]}?" if inside else "; give the folder that has saved_model.pb in it"
    raise SourceError(f"{model} is not a SavedModel{hint}")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
