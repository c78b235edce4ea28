"""Define what an engine is, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from .._stop import Stop
    from ._description import ServerDescription


class Missing(NamedTuple):
    """Say why an engine cannot run here: ``Missing("docker is not on the PATH", "install Docker")``."""

    what: str
    remedy: str


@dataclass(frozen=True)
class RunningServer:
    """A server that answers.

    Attributes:
        target: ``HOST:PORT``.
        engine: What runs it, in words.
        stopping: What happens to the calls in flight when it stops, in words.
        wait: Waits until an event is set; raises ServerEndedError when the server ends before.
    """

    target: str
    engine: str
    stopping: str
    wait: Callable[[Stop], object]


class Engine(Protocol):
    """A way to run a model server on this machine: ``with engine.serving(description, print) as server: ...``.

    Attributes:
        in_process: Whether the server is this process, and ends with it.
    """

    in_process: bool

    def missing(self) -> Missing | None:
        """Tell what is not on this machine that the engine needs; None when all is there."""

    def serving(
        self, description: ServerDescription, report: Callable[[str], None]
    ) -> AbstractContextManager[RunningServer]:
        """Run a server; the context is entered when it answers, and leaving it stops the server.

        Args:
            description: What to serve, and where.
            report: Is called with lines for a person to read, the server's log among them.

        Raises:
            ServeError: One of its kinds, when it cannot be done; then nothing is left behind.
        """
