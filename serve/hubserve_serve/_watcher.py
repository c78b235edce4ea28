"""Follow the model's base folder, and serve the versions that it holds."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from ._errors import LoadError
from ._servable import load_servable
from ._warmup import recorded_requests, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import tensorflow as tf

    from ._manager import Manager
    from ._servable import Servable
    from ._store import Store, VersionDirectory

_LOG = logging.getLogger(__name__)


class Watcher:
    """Loads and unloads versions as they come and go on disk.

    ``watcher.load(store.find())``, ``watcher.start(1.0)``, and at last ``watcher.stop()``.

    Args:
        manager: Holds the versions.
        store: Tells which there are.
        config: The session config to load with.
        report: Is called with a line of progress, for a person to read.
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
        """Load the first versions, all of which must come up.

        Raises:
            LoadError: A version cannot be loaded.
        """
        for directory in directories:
            self._load(directory)

    def start(self, seconds: float) -> None:
        """Look again every so many seconds, in a thread of its own."""
        self._thread = threading.Thread(target=self._follow, args=[seconds], name="versions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a load under way goes on until the manager is closed."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for the thread to end."""
        if self._thread is not None:
            self._thread.join(seconds)

    def look(self) -> None:
        """Load what is new in the folder, then unload what is not wanted any more, so that the model answers all along.

        The order, and that the old version stays when the new one fails, is TF Serving's AvailabilityPreservingPolicy.
        """
        directories = self._store.look()
        if directories is None:
            return
        wanted = {directory.version for directory in directories}
        # A version that failed is not tried again, unless it has been away meanwhile.
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
            except Exception:  # noqa: BLE001 - one version's own fault must not keep the next ones from being served
                _LOG.exception("Looking for versions of %s failed; it goes on", self._manager.name)

    def _tell(self, line: str) -> None:
        try:
            self._report(line)
        except Exception:  # noqa: BLE001 - the model is served all the same
            _LOG.exception("Nobody could be told: %s", line)

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
            self._tell(f"warming up with {len(logs)} records")
            replay(servable, logs)
