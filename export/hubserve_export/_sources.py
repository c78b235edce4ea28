"""Where a model comes from: the hub, a folder, an archive, a Keras file, or this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import _archive, _efficientnet, _hub, _keras
from ._errors import SourceError
from ._integrity import FileRecord, record, records
from ._scratch import private_folder


@dataclass(frozen=True)
class Source:
    """A model as it was found, before it is loaded.

    Attributes:
        handle: What names it to others: the hub's URL, or the path as given.
        kind: "hub", "directory", "archive", "keras" or "builtin".
        path: The SavedModel's folder; for "builtin" the file of weights.
        origin: The file that was given, where the SavedModel is only made from it.
    """

    handle: str
    kind: str
    path: Path
    origin: Path | None = None

    def files(self) -> tuple[FileRecord, ...]:
        """Reads and hashes every file of the source."""
        given = self.origin or self.path
        return records(given) if given.is_dir() else (record(given, given.parent),)


@contextmanager
def open_source(model: str) -> Iterator[Source]:
    """Makes the model available on this machine for as long as the context lasts.

    Args:
        model: A hub handle or URL, the folder of a SavedModel, a `.tar.gz` of one, a `.keras` file, or
            `efficientnet-lite0`.

    Raises:
        SourceError: There is no such thing, or it cannot be had.
    """
    path = Path(model)
    if path.is_dir():
        yield _directory(model, path)
    elif path.is_file():
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(private_folder())
            except OSError as error:
                raise SourceError(
                    f"{model} cannot be unpacked, because there is no temporary folder to write to "
                    f"({error.strerror}); set TMPDIR to one"
                ) from error
            yield _unpacked(model, path, folder)
    elif model == _efficientnet.NAME:
        yield Source(model, "builtin", _efficientnet.weights_path())
    elif _hub.is_handle(model) and not model.startswith(("/", ".")):
        yield Source(_hub.url(model), "hub", _hub.fetch(model))
    else:
        raise SourceError(
            f"{model} is not there; give a hub URL or handle, the folder of a SavedModel, a .tar.gz of one, "
            f"a .keras file, or {_efficientnet.NAME}"
        )


def _unpacked(model: str, path: Path, folder: Path) -> Source:
    """The source in a single file, unpacked or converted into `folder`."""
    if model.endswith((".tar.gz", ".tgz")):
        return Source(model, "archive", _archive.unpack(path, folder))
    if model.endswith(".keras"):
        _keras.to_saved_model(path, folder)
        return Source(model, "keras", folder, origin=path)
    if model.endswith((".h5", ".hdf5")):
        raise SourceError(
            f"{model} is of Keras' old format, which does not hold all of a model; load it where it was made and save "
            'it as a folder, model.save("folder") or, with Keras 3, model.export("folder")'
        )
    raise SourceError(
        f"{model} is a file, but neither a .tar.gz nor a .keras; give the folder of a SavedModel, or pack it as .tar.gz"
    )


def _directory(model: str, path: Path) -> Source:
    if (path / "saved_model.pb").is_file():
        return Source(model, "directory", path)
    inside = sorted(found.parent for found in path.glob("*/saved_model.pb"))
    hint = f"; did you mean {inside[-1]}?" if inside else "; give the folder that has saved_model.pb in it"
    raise SourceError(f"{model} is not a SavedModel{hint}")
