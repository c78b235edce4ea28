"""Ask the server to stop, from Ctrl-C or SIGTERM."""

from __future__ import annotations

import contextlib
import queue
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


# The kernel may deliver a signal to any thread. Python then runs the handler in the main thread, but only when that
# thread executes code: while it waits on a lock, it does not. So each wait must be short.
_STEP_SECONDS = 0.2


class Stop:
    """A request to stop the server: ``stop.set()`` in a signal handler, ``stop.wait()`` elsewhere.

    A handler may run between any two steps of the main thread. If that thread holds the lock of a `threading.Event`
    then, a handler that sets the event waits for ever. `queue.SimpleQueue` is safe to use in a handler.
    """

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """Request the stop."""
        self._asked.put(None)

    def is_set(self) -> bool:
        """Tell whether the stop was requested."""
        return not self._asked.empty()

    def wait(self) -> None:
        """Wait until the stop is requested."""
        while not self.is_set():
            with contextlib.suppress(queue.Empty):
                self._asked.get(timeout=_STEP_SECONDS)
                self._asked.put(None)


@contextlib.contextmanager
def stop_signal() -> Iterator[Stop]:
    """Provide a stop that the first SIGTERM or Ctrl-C requests; a second one ends the process in the usual way."""
    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def request_stop(_number: int, _frame: object) -> None:
        stop.set()
        restore()

    for number in before:
        signal.signal(number, request_stop)
    try:
        yield stop
    finally:
        restore()
