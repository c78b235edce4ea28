"""Watch the model's base folder, and serve the versions in it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import tensorflow as tf

from ._errors import LoadError
from ._servable import load_servable
from ._warmup import needed, recorded_requests, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._manager import Manager
    from ._servable import Servable
    from ._store import Store, VersionDirectory

_LOG = logging.getLogger(__name__)


class Watcher:
    """Load and unload versions as they appear and disappear on disk.

    ``watcher.load(store.find())``, ``watcher.start(1.0)``, and at last ``watcher.stop()``.

    Args:
        manager: Holds the loaded versions.
        store: Finds the versions on disk.
        config: The session config to load with.
        report: Called with lines of progress, for users.
    """

    def __init__(
        self,
        manager: Manager,
        store: Store,
        config: tf.compat.v1.ConfigProto | None,
        report: Callable[[str], None],
    ) -> None:
        self._manager = manager
        self._store = store
        self._config = config
        self._report = report
        self._seen: set[int] = set()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def load(self, directories: Iterable[VersionDirectory]) -> None:
        """Load the first versions; all of them must load.

        Raises:
            LoadError: A version cannot be loaded.
        """
        for directory in directories:
            self._load(directory)

    def start(self, seconds: float) -> None:
        """Check every `seconds`, on a separate thread."""
        self._thread = threading.Thread(target=self._follow, args=[seconds], name="versions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop checking; a load that has started continues until the manager is closed."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for the thread to end."""
        if self._thread is not None:
            self._thread.join(seconds)

    def look(self) -> None:
        """Load new versions, then unload versions that are not wanted any more, so that the model always answers.

        The order is that of TF Serving's AvailabilityPreservingPolicy: if the new version fails, the old one stays.
        """
        directories = self._store.look()
        if directories is None:
            return
        wanted = {directory.version for directory in directories}
        # A version that failed is not loaded again, unless it was removed meanwhile.
        self._seen &= wanted
        for directory in directories:
            if directory.version not in self._seen and not self._stopping.is_set():
                try:
                    self._load(directory)
                    self._tell(f"version {directory.version} is served")
                except LoadError as error:
                    self._tell(f"version {directory.version} is not served: {error}")
        available = self._manager.available()
        if not wanted or wanted & available:
            for version in sorted(available - wanted):
                self._manager.unload(version)
                self._tell(f"version {version} is unloaded")

    def _follow(self, seconds: float) -> None:
        while not self._stopping.wait(seconds):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - a defective version must not stop the watcher
                _LOG.exception("Looking for versions of %s failed; the watcher continues", self._manager.name)

    def _tell(self, line: str) -> None:
        try:
            self._report(line)
        except Exception:  # noqa: BLE001 - the model must be served anyway
            _LOG.exception("a line of progress could not be reported: %s", line)

    def _load(self, directory: VersionDirectory) -> None:
        self._seen.add(directory.version)
        self._tell(f"loading {directory.path}")
        self._manager.load(
            directory.version,
            lambda: load_servable(self._manager.name, directory, self._config),
            lambda servable: self._warm_up(servable, directory),
        )

    def _warm_up(self, servable: Servable, directory: VersionDirectory) -> None:
        if logs := recorded_requests(directory.path):
            chosen = needed(directory.path, logs, on_gpu=bool(tf.config.list_physical_devices("GPU")))
            left_out = len(logs) - len(chosen)
            why = f"; {left_out} more are only other batch sizes, which a CPU does not need" if left_out else ""
            self._tell(f"warming up with {len(chosen)} records{why}")
            replay(servable, chosen)
