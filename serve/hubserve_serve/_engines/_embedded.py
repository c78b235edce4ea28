"""The engine `embedded`: TensorFlow in this process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hubserve_model.tensorflow_log import quieten_tensorflow

from .._errors import EngineError
from ._engine import Missing, RunningServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._description import ServerDescription

# Just below 32 MiB, the largest block to which glibc adapts.
_LARGE_BLOCK = 2**25 - 2**16


class EmbeddedEngine:
    """Run an `EmbeddedServer`, for development and tests."""

    in_process = True

    def missing(self) -> Missing | None:
        """Return None: only importing the packages shows whether they are installed, and that takes seconds."""
        return None

    @contextlib.contextmanager
    def serving(self, description: ServerDescription, report: Callable[[str], None]) -> Iterator[RunningServer]:
        """Run a server; see `Engine.serving`."""
        try:
            quieten_tensorflow()
            from .._embedded_server import EmbeddedServer
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing.startswith("hubserve"):
                raise
            raise EngineError(f"serve needs {missing}: pip install 'hubserve[serve]'") from error
        _keep_memory()
        config = description.session_config
        with EmbeddedServer(
            description.model_dir,
            name=description.name,
            version=[version.version for version in description.versions] if description.pinned else None,
            version_labels=description.labels,
            host=description.host,
            port=description.port,
            session_config=config.file if config else None,
            max_threads=description.max_threads,
            report=report,
        ) as server:
            yield RunningServer(
                server.target,
                engine="embedded engine, for development and tests",
                stopping="calls in flight are finished, new ones refused",
                wait=lambda stop: stop.wait(),
            )


def _keep_memory() -> None:
    """Let glibc keep the memory of one batch's pixels for the next, so that the system does not clear new pages.

    glibc adapts to a large block that is freed (mallopt(3), M_MMAP_THRESHOLD, "dynamic"), unless the environment has
    set the thresholds. The block is never written to, so that it takes no memory. ``benchmarks/decode.py`` measures the
    gain.
    """
    bytes(_LARGE_BLOCK)
