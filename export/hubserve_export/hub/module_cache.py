"""Keep downloaded modules in the folders of tensorflow_hub and of kagglehub, in their own layouts.

tensorflow_hub has TFHUB_CACHE_DIR/<SHA-1 of the address>, and accepts any folder with a file in it. kagglehub has
KAGGLEHUB_CACHE/models/<owner>/<model>/<framework>/<variation>/<version>, with <version>.complete beside it. hubserve
reads and fills both, and accepts only a folder that holds all of a model.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from hubserve_model.scratch import scratch_folder

from .. import _archive
from .._errors import SourceError
from .credentials import home
from .downloader import Received
from .handles import KAGGLE, Address, KaggleName, Name

_SCRATCH = ".hubserve-"
_SHARD = re.compile(r"(?P<name>.+)\.data-(?P<index>\d{5})-of-(?P<count>\d{5})")


@dataclass(frozen=True)
class Origin:
    """Record where a module in the cache came from. The record is kept beside the module's folder.

    Attributes:
        name: Its name on the service that it came from.
        url: The address after all redirects, without its query.
        sha256: The hash of the archive.
        files: The bytes of each file, by path.
    """

    name: str
    url: str
    sha256: str
    files: dict[str, int]


@dataclass(frozen=True)
class Place:
    """Name a folder of a cache, which may hold a module.

    Attributes:
        folder: The module's folder.
        marker: kagglehub's file that marks the folder as complete.
    """

    folder: Path
    marker: Path | None = None

    def is_whole(self) -> bool:
        """Tell whether all of a module is there. A remnant of a cut download or of a cleaned folder is not a hit."""
        if self.marker is not None and not self.marker.is_file():
            return False
        origin = self.origin()
        if origin is not None:
            return all(_size(self.folder / path) == size for path, size in origin.files.items())
        return _is_model(self.folder)

    def origin(self) -> Origin | None:
        """Return the record of a module that hubserve downloaded; None for the module of another program."""
        try:
            origin = Origin(**json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return origin if isinstance(origin.files, dict) and origin.files else None

    def fill(self, archive: Path, name: str, received: Received) -> None:
        """Unpack an archive to this place. The folder appears only when it is complete.

        Raises:
            SourceError: It is not an archive of a model, or the model in it is not complete.
            OSError: The folder cannot be written to.
        """
        with scratch_folder(self.folder.parent, _SCRATCH) as scratch:
            module = _archive.unpack_any(archive, scratch / "new")
            if not _is_model(module):
                raise SourceError(f"{archive} holds a model whose weights are not complete")
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
        """The file that the archive is downloaded to. After a cut, the next run continues it."""
        return self.folder.with_name(f".{self.folder.name}.hubserve-part")

    @property
    def _record(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.hubserve.json")

    @contextmanager
    def locked(self, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Wait until no other export downloads to this place, and keep others waiting.

        Where the file system has no locks, exports do not wait: each downloads for itself, and the last one stays.

        Args:
            waits: Called when another export has the lock, before waiting for it.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _opened(self.folder.with_name(f".{self.folder.name}.hubserve-lock"))
        try:
            with suppress(ImportError, OSError):
                import fcntl

                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    waits()
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _opened(lock: Path) -> int:
    """Open a file to lock, which another user of the same cache may have made."""
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if not lock.exists():
            raise
        return os.open(lock, os.O_RDONLY)


@dataclass(frozen=True)
class Caches:
    """Name the folders of both caches.

    Attributes:
        tfhub: The one of tensorflow_hub: TFHUB_CACHE_DIR, or a folder in the system's temporary one.
        kagglehub: The one of kagglehub: KAGGLEHUB_CACHE, or ~/.cache/kagglehub.
    """

    tfhub: Path
    kagglehub: Path

    @classmethod
    def of_environment(cls) -> Caches:
        """Return the folders that the environment names, or else the default folders of the two libraries.

        Another user who owns the default folder in the system's temporary one could change the models in it. Then a
        folder in the home folder is used instead.
        """
        temporary = Path(tempfile.gettempdir())
        own = (home() or temporary / f"hubserve-{_user()}") / ".cache"
        shared = temporary / "tfhub_modules"
        default = own / "tfhub_modules" if _is_of_another_user(shared) else shared
        return cls(
            Path(os.environ.get("TFHUB_CACHE_DIR") or default),
            Path(os.environ.get("KAGGLEHUB_CACHE") or own / "kagglehub"),
        )

    def places(self, name: Name, given: str) -> Iterator[Place]:
        """Give the places where a module may be. The first is the one to fill.

        Args:
            name: Its name, with a version.
            given: The name as the user wrote it: the cache of tensorflow_hub depends on the exact spelling.
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
        folder = self.kagglehub / "models"
        for part in (name.owner, name.model, name.framework, name.variation):
            folder = _any_case(folder, part)
        return folder


def _any_case(folder: Path, name: str) -> Path:
    """Return a folder inside another: kagglehub keeps the capitals that its user typed."""
    if not (folder / name).is_dir():
        with suppress(OSError):
            return next((entry for entry in folder.iterdir() if entry.name.lower() == name.lower()), folder / name)
    return folder / name


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _is_of_another_user(folder: Path) -> bool:
    """Tell whether a folder, or a link of that name, belongs to another user, who is not root."""
    try:
        return os.name == "posix" and any(found.st_uid not in (0, _user()) for found in (folder.lstat(), folder.stat()))
    except OSError:
        return False


def _is_model(folder: Path) -> bool:
    return _is_preset(folder) or _is_saved_model(folder)


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
