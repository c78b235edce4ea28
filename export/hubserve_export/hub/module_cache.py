"""Keep downloaded modules in the folders of tensorflow_hub and of kagglehub, in their own layouts.

tensorflow_hub has TFHUB_CACHE_DIR/<SHA-1 of the address>, and takes any folder with a file in it. kagglehub has
KAGGLEHUB_CACHE/models/<owner>/<model>/<framework>/<variation>/<version>, with <version>.complete beside it. Both are
read and filled here, and only a folder that holds all of a model is taken.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from hubserve_model.scratch import scratch_folder

from .. import _archive
from .downloader import Received
from .handles import KAGGLE, Address, KaggleName, Name

_SCRATCH = ".hubserve-"
_SHARD = re.compile(r"(?P<name>.+)\.data-(?P<index>\d{5})-of-(?P<count>\d{5})")


@dataclass(frozen=True)
class Origin:
    """Say where a module in the cache came from. It is kept beside the module's folder.

    Attributes:
        name: Its name on the service that it came from.
        url: The address in the end, without its query.
        sha256: The hash of the archive.
        files: The bytes of each file, by path.
    """

    name: str
    url: str
    sha256: str
    files: dict[str, int]


@dataclass(frozen=True)
class Place:
    """A folder of a cache, which may hold a module.

    Attributes:
        folder: The module's folder.
        marker: kagglehub's file that says that the folder is complete.
    """

    folder: Path
    marker: Path | None = None

    def is_whole(self) -> bool:
        """Tell whether all of a module is there: a remnant of a cut download or of a cleaned folder is no hit."""
        if self.marker is not None and not self.marker.is_file():
            return False
        origin = self.origin()
        if origin is not None:
            return all(_size(self.folder / path) == size for path, size in origin.files.items())
        return _is_preset(self.folder) or _is_saved_model(self.folder)

    def origin(self) -> Origin | None:
        """Return what is known of a module that hubserve downloaded; None for another's."""
        try:
            return Origin(**json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def fill(self, archive: Path, name: str, received: Received) -> None:
        """Unpack an archive to this place; nobody sees the folder before it is complete.

        Raises:
            SourceError: It is no archive of a model.
            OSError: The folder cannot be written to.
        """
        with scratch_folder(self.folder.parent, _SCRATCH) as scratch:
            module = _archive.unpack_any(archive, scratch / "new")
            files = {str(file.relative_to(module)): file.stat().st_size for file in module.rglob("*") if file.is_file()}
            self._record.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                self.folder.rename(scratch / "remnant")
            module.rename(self.folder)
        origin = Origin(name, received.url, received.sha256, files)
        self._record.write_text(json.dumps(asdict(origin), indent=1), encoding="utf-8")
        if self.marker is not None:
            self.marker.touch()

    @property
    def part(self) -> Path:
        """Where the archive is downloaded to; what a cut leaves there is gone on with."""
        return self.folder.with_name(f".{self.folder.name}.hubserve-part")

    @property
    def _record(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.hubserve.json")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait until no other export downloads to this place, and keep others waiting.

        Where the file system knows no locks, nobody waits: then each downloads for itself, and the last one stays.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder.with_name(f".{self.folder.name}.hubserve-lock"), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with suppress(ImportError, OSError):
                import fcntl

                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


@dataclass(frozen=True)
class Caches:
    """The folders of both caches.

    Attributes:
        tfhub: tensorflow_hub's: TFHUB_CACHE_DIR, or a folder in the system's temporary one.
        kagglehub: kagglehub's: KAGGLEHUB_CACHE, or ~/.cache/kagglehub.
    """

    tfhub: Path
    kagglehub: Path

    @classmethod
    def of_environment(cls) -> Caches:
        """Return the folders that the environment names, or those that the libraries take without."""
        return cls(
            Path(os.environ.get("TFHUB_CACHE_DIR") or Path(tempfile.gettempdir()) / "tfhub_modules"),
            Path(os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub"),
        )

    def places(self, name: Name, given: str) -> Iterator[Place]:
        """Give the places where a module may be; the first is the one to fill.

        Args:
            name: Its name, with a version.
            given: As the user wrote it, because tensorflow_hub goes by the exact spelling.
        """
        urls = [name.url]
        if isinstance(name, KaggleName):
            folder = self._of_kagglehub(name)
            yield Place(folder / str(name.version), folder / f"{name.version}.complete")
            page = f"{KAGGLE}/models/{name.owner}/{name.model}"
            urls.append(f"{page}/frameworks/{name.framework}/variations/{name.variation}/versions/{name.version}")
        if "://" in given and not isinstance(name, Address):
            urls.append(given)
        for url in dict.fromkeys(urls):
            yield Place(self.tfhub / hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest())

    def newest_on_kaggle(self, name: KaggleName) -> int | None:
        """Return the newest version of a variation that kagglehub's cache has whole; None where it has none."""
        folder = self._of_kagglehub(name)
        with suppress(OSError):
            kept = [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()]
            return max((n for n in kept if Place(folder / str(n), folder / f"{n}.complete").is_whole()), default=None)
        return None

    def _of_kagglehub(self, name: KaggleName) -> Path:
        """Return the folder of a variation, which has a folder for each version."""
        model, framework = self.kagglehub / "models" / name.owner / name.model, name.framework
        with suppress(OSError):
            # kagglehub keeps the capitals that its user typed.
            framework = next((e.name for e in model.iterdir() if e.name.lower() == framework.lower()), framework)
        return model / framework / name.variation


def _is_saved_model(folder: Path) -> bool:
    if not (folder / "saved_model.pb").is_file():
        return False
    variables = folder / "variables"
    if not variables.is_dir():
        return True  # A frozen graph has none.
    shards = [found for file in variables.iterdir() if (found := _SHARD.fullmatch(file.name))]
    return (variables / "variables.index").is_file() and bool(shards) and len(shards) == int(shards[0]["count"])


def _is_preset(folder: Path) -> bool:
    return (folder / "config.json").is_file() and any(folder.glob("*.weights.*"))


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None
