"""The interface of an engine, and the result of starting one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ._description import ServerDescription


class Missing(NamedTuple):
    """The reason why an engine cannot run here: ``Missing("docker is not on the PATH", "install Docker")``."""

    what: str
    remedy: str


class Stop(Protocol):
    """A request to stop the server; `signal` is None before it."""

    signal: int | None

    def wait(self) -> None:
        """Wait for the request."""


@dataclass(frozen=True)
class RunningServer:
    """A server that answers.

    Attributes:
        target: ``HOST:PORT``.
        engine: What runs the server, in words.
        stopping: What happens to calls in flight when it stops, in words.
        wait: Waits until an event is set; raises ServerEndedError if the server ends before.
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
        """Return what this machine lacks to run the engine; None if it lacks nothing."""

    def serving(
        self, description: ServerDescription, report: Callable[[str], None]
    ) -> AbstractContextManager[RunningServer]:
        """Run a server; the context starts when it answers, and leaving the context stops the server.

        Args:
            description: What to serve, and where.
            report: Called with lines for users, including the server's log.

        Raises:
            ServeError: The server cannot be started; everything that was started is stopped.
        """
