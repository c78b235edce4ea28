"""Describe what to serve, and where; every engine takes this description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import hubserve_model
from hubserve_model.batching_parameters import FILENAME
from hubserve_model.session_configs import SessionConfig, read

from .._errors import SessionConfigError
from .._store import Store, VersionDirectory, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# A call that waits for its batch holds a thread, and a call that finds no thread is refused. TensorFlow Serving's own
# default is four for each processor.
MAX_THREADS = 1024


@dataclass(frozen=True)
class ServerDescription:
    """A server to run: ``describe(Path("models/pnasnet"))``.

    Attributes:
        model_dir: The model's base folder, absolute.
        name: The model's name for callers.
        versions: The versions to serve, ascending, at least one.
        pinned: Whether only these versions are served; else higher ones are, too, when they appear.
        labels: Labels that callers may ask for, with their versions.
        host: The address to listen on.
        port: The port to listen on; 0 for a free one.
        session_config: TensorFlow's session config; None: TensorFlow's defaults.
        max_threads: The most calls at a time; more are refused.
    """

    model_dir: Path
    name: str
    versions: tuple[VersionDirectory, ...]
    pinned: bool
    labels: Mapping[str, int]
    host: str
    port: int
    session_config: SessionConfig | None
    max_threads: int

    @property
    def newest(self) -> VersionDirectory:
        """The version that answers requests without a version."""
        return self.versions[-1]

    @property
    def batching_file(self) -> Path | None:
        """The newest version's batching parameters, if it has any."""
        file = self.newest.path / FILENAME
        return file if file.is_file() else None


def describe(
    model_dir: Path,
    *,
    name: str | None = None,
    versions: Sequence[int] = (),
    labels: Mapping[str, int] | None = None,
    host: str = "127.0.0.1",
    port: int = 8500,
    session_config: str | None = None,
    max_threads: int = MAX_THREADS,
) -> ServerDescription:
    """Describe a server for a model directory, and check what the engines need to know about it.

    Args:
        model_dir: The model's base folder, the one that holds its versions.
        name: The model's name for callers; by default the folder's.
        versions: The versions to serve; by default the highest.
        labels: Labels, with their versions; with labels, higher versions that appear are not served.
        host: The address to listen on.
        port: The port to listen on; 0 for a free one.
        session_config: The name of a session config that comes with hubserve, or a file.
        max_threads: The most calls at a time, waiting ones included; more are refused.

    Raises:
        ModelDirectoryError: A version is missing, or a label names a version that is not served.
        SessionConfigError: The session config cannot be read.
    """
    store = Store(model_dir, versions or None, labels)
    found = store.find()
    base = model_dir.resolve()
    return ServerDescription(
        model_dir=base,
        name=name or name_of(model_dir),
        versions=tuple(VersionDirectory(base / version.path.name, version.version) for version in found),
        pinned=store.pinned,
        labels=dict(labels or {}),
        host=host,
        port=port,
        session_config=None if session_config is None else _session_config(session_config),
        max_threads=max_threads,
    )


def _session_config(name_or_file: str) -> SessionConfig:
    try:
        return read(name_or_file)
    except hubserve_model.SessionConfigError as error:
        raise SessionConfigError(str(error)) from error
