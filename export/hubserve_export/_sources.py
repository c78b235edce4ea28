"""Open the source of a model: the hub, a folder, an archive, a Keras file, a KerasHub preset, or this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hubserve_model.integrity import FileRecord, record, records
from hubserve_model.scratch import private_folder

from . import _archive, _efficientnet, _keras, _keras_h5, _preset
from ._errors import SourceError
from ._progress import Progress
from .hub.fetching import Fetched, fetch
from .hub.handles import is_name, tidied
from .hub.module_table import advice


@dataclass(frozen=True)
class Source:
    """A model that was found, before it is loaded.

    Attributes:
        handle: Its name in messages: its address on the hub, or the path as given.
        kind: "hub", "directory", "archive", "keras", "preset" (of KerasHub) or "builtin".
        path: The SavedModel's folder; for "builtin" the file of weights.
        origin: The given file or folder, if the SavedModel was made from it.
        notes: Descriptions of what was added to the model.
        fetched: How it came from the hub; None for other kinds.
    """

    handle: str
    kind: str
    path: Path
    origin: Path | None = None
    notes: tuple[str, ...] = ()
    fetched: Fetched | None = None

    @property
    def given(self) -> Path:
        """The file or folder that was given, or the folder that it was unpacked into."""
        return self.origin or self.path

    def files(self) -> tuple[FileRecord, ...]:
        """Read and hash every file of the source."""
        given = self.origin or self.path
        return records(given) if given.is_dir() else (record(given, given.parent),)


@contextmanager
def open_source(model: str, progress: Progress | None = None) -> Iterator[Source]:
    """Make the model available on this machine while the context lasts.

    Args:
        model: A handle or address of TensorFlow Hub or Kaggle Models, the folder of a SavedModel, a `.tar.gz` of one, a
            `.keras` or `.h5` file, the folder of a KerasHub preset, or `efficientnet-lite0`.
        progress: Gets reports of a download; None: no reports.

    Raises:
        SourceError: There is no such model, or it cannot be read or downloaded.
    """
    path = Path(model)
    if not _is_there(path):
        model = tidied(model)
        path = Path(model)
    if _is_there(path) and path.is_dir() and not _is_of_keras(path):
        yield _directory(model, path)
    elif _is_there(path):
        with _unpacking(model) as folder:
            yield _of_keras(model, path, folder) if path.is_dir() else _unpacked(model, path, folder)
    elif model == _efficientnet.NAME:
        yield Source(model, "builtin", _efficientnet.weights_path())
    elif is_name(model):
        fetched = fetch(model, progress)
        if not _is_of_keras(fetched.folder):
            yield Source(fetched.handle, "hub", fetched.folder, fetched=fetched)
            return
        with _unpacking(model) as folder:
            of_keras = _of_keras(model, fetched.folder, folder)
            yield replace(of_keras, handle=fetched.handle, fetched=fetched)
    elif "://" in model:
        raise SourceError(f"{model} is not downloaded, because hubserve reads http and https only; copy it here first")
    else:
        raise SourceError(
            f"{model} does not exist; {advice(model)}give a hub URL or handle, the folder of a SavedModel, "
            f"a .tar.gz of one, a .keras file, or {_efficientnet.NAME}"
        )


def _is_there(path: Path) -> bool:
    """Tell whether there is such a file or folder. A text that cannot be a path is not there."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


@contextmanager
def _unpacking(model: str) -> Iterator[Path]:
    """Provide a private folder in which to make a SavedModel."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(private_folder())
        except OSError as error:
            raise SourceError(
                f"{model} cannot be unpacked, because there is no temporary folder to write to "
                f"({error.strerror}); set TMPDIR to one"
            ) from error
        yield folder


def _unpacked(model: str, path: Path, folder: Path) -> Source:
    """Unpack or convert a single file into `folder`, and return its source."""
    ending = model.lower()
    if ending.endswith((".tar.gz", ".tgz", ".tar")):
        return Source(model, "archive", _archive.unpack(path, folder))
    if ending.endswith(".keras"):
        _keras.to_saved_model(path, folder)
        return Source(model, "keras", folder, origin=path)
    if ending.endswith((".h5", ".hdf5")):
        _keras_h5.to_saved_model(path, folder)
        return Source(model, "keras", folder, origin=path)
    if ending.endswith(".zip"):
        raise SourceError(f"{model} is a .zip; unpack it, and give the folder that has saved_model.pb in it")
    raise SourceError(
        f"{model} is a file, but not a .tar.gz, .keras or .h5; give the folder of a SavedModel, or pack it as .tar.gz"
    )


def _is_of_keras(path: Path) -> bool:
    """Tell whether a folder is a preset of KerasHub, or was saved by Keras 3 with zipped=False."""
    config = (path / _preset.CONFIG).is_file() and any(path.glob("*.weights.*"))
    return not (path / "saved_model.pb").is_file() and (config or _preset.is_preset(path))


def _of_keras(model: str, path: Path, folder: Path) -> Source:
    """Convert such a folder into `folder`, and return its source."""
    if _preset.is_preset(path):
        notes = _preset.to_saved_model(path, folder)
        return Source(model, "preset", folder, origin=path, notes=notes)
    _keras.to_saved_model(path, folder)
    return Source(model, "keras", folder, origin=path)


def _directory(model: str, path: Path) -> Source:
    if (path / "saved_model.pb").is_file():
        return Source(model, "directory", path)
    inside = sorted(found.parent for found in path.glob("*/saved_model.pb"))
    hint = f"; did you mean {inside[-1]}?" if inside else "; give the folder that has saved_model.pb in it"
    raise SourceError(f"{model} is not a SavedModel{hint}")
