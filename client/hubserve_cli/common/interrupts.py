"""Ctrl-C and SIGTERM: a run ends between two records, and a measurement ends with the figures it has."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Any, TypeAlias

import click

Handler: TypeAlias = Callable[[int, FrameType | None], object] | signal.Handlers
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def require_signals() -> None:
    """Refuse a system on which signals cannot end a run between two records.

    Raises:
        click.ClickException: The system does not have SIGALRM or flock, such as Windows.
    """
    missing = [] if hasattr(signal, "SIGALRM") and hasattr(signal, "setitimer") else ["SIGALRM"]
    try:
        import fcntl  # noqa: F401
    except ImportError:
        missing.append("flock")
    if missing:
        raise click.ClickException(
            f"hubserve classify runs on Linux and macOS, and this system ({sys.platform}) does not have "
            f"{' and '.join(missing)}: run it there, or in WSL; the library's Client.classify works here"
        )


# The time until a signal that came at a bad moment is handled again.
_SOON_SECONDS = 0.01


class Stopped(BaseException):
    """The user, or the system, wants the run to end; `number` is the number of the signal."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


@contextmanager
def handled(handlers: Mapping[int, Handler]) -> Iterator[Callable[[], None]]:
    """Handle signals until the end of the context; the function that it provides restores the old handlers earlier.

    Python allows it only in the main thread: in another thread, the handlers stay as they were.
    """
    before: dict[int, Any] = {}

    def restore() -> None:
        while before:
            signal.signal(*before.popitem())

    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            before[number] = signal.signal(number, handler)
    try:
        yield restore
    finally:
        restore()


# A signal may be delivered to any thread. Python then runs the handler in the main thread, but only while that thread
# runs code: while it waits on a lock, it does not. So each wait must be short.
_WAIT_SECONDS = 0.2


class StopRequest:
    """Take the first Ctrl-C or SIGTERM as a request to stop; the next one ends the process in the usual way.

        stop = StopRequest()
        with stop.taken():
            while stop.signal is None: ...

    Attributes:
        signal: The number of the signal; None: there was none.
        wake: Called from the signal handler, to wake the thread that waits.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.wake: Callable[[], object] = lambda: None
        # Unlike a `threading.Event`, it may be used in a handler that interrupts the thread which waits for it.
        self._came: SimpleQueue[None] = SimpleQueue()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Handle the signals until the end of the context."""

        def come(number: int, _: FrameType | None) -> None:
            self.signal = number
            restore()
            self._came.put(None)
            self.wake()

        with handled(dict.fromkeys(_SIGNALS, come)) as restore:
            yield

    def wait(self) -> None:
        """Wait for the signal."""
        while self.signal is None:
            with suppress(Empty):
                self._came.get(timeout=_WAIT_SECONDS)


class Signals:
    """Raise `Stopped` when a signal comes, but not while it is held, and not inside gRPC.

    with Signals() as signals:
        with signals.held:
            write(record)

    An exception that a signal raises inside gRPC's Python code can leave one of gRPC's locks taken; then the channel is
    never closed, and the process never ends.
    """

    def __init__(self) -> None:
        self.held = _Held()
        self._late: int | None = None
        self._handled = ExitStack()

    def __enter__(self) -> Signals:
        handlers: dict[int, Handler] = {**dict.fromkeys(_SIGNALS, self._come), signal.SIGALRM: self._come_late}
        self._handled.enter_context(handled(handlers))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        late, self._late = self._late, None
        if late is not None:
            # Stopped while the handler is still set: without a handler, SIGALRM ends the process.
            signal.setitimer(signal.ITIMER_REAL, 0)
        self._handled.close()
        if late is not None and error is None:
            signal.raise_signal(late)

    def _come(self, number: int, frame: FrameType | None) -> None:
        if _inside_grpc(frame):
            # A timer of the system, because starting a thread takes locks too.
            self._late = number
            signal.setitimer(signal.ITIMER_REAL, _SOON_SECONDS)
        else:
            self._late = None
            self.held.come(number)

    def _come_late(self, _: int, frame: FrameType | None) -> None:
        if self._late is not None:
            self._come(self._late, frame)


def _inside_grpc(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == "grpc":
            return True
        frame = frame.f_back
    return False


class _Held:
    """A context in which a signal waits."""

    def __init__(self) -> None:
        self._depth = 0
        self._waiting: int | None = None

    def come(self, number: int) -> None:
        if not self._depth:
            raise Stopped(number)
        self._waiting = number

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._depth -= 1
        # An exception that is raised already is not replaced by the signal.
        if not self._depth and error is None and self._waiting is not None:
            number, self._waiting = self._waiting, None
            raise Stopped(number)
