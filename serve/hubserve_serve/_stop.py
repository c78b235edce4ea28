"""The wish that the server stop, from Ctrl-C or SIGTERM."""

from __future__ import annotations

import contextlib
import queue
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


# The kernel may hand a process's signal to any thread, and Python then runs the handler in the main one as soon as that
# takes a step. Waiting on a lock it takes none, so it must not wait for long at a time.
_STEP_SECONDS = 0.2


class Stop:
    """Tell whether the server was asked to stop: ``stop.set()`` in a signal handler, ``stop.wait()`` elsewhere.

    A handler runs between any two steps of the main thread. `threading.Event` may hold its lock there, and a handler
    that sets it then waits for ever; `queue.SimpleQueue` is made to be interrupted so.
    """

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """Ask."""
        self._asked.put(None)

    def is_set(self) -> bool:
        """Tell whether it was asked for."""
        return not self._asked.empty()

    def wait(self) -> None:
        """Wait until it is asked for."""
        while not self.is_set():
            with contextlib.suppress(queue.Empty):
                self._asked.get(timeout=_STEP_SECONDS)
                self._asked.put(None)


@contextlib.contextmanager
def stop_signal() -> Iterator[Stop]:
    """Give a stop that the first SIGTERM or Ctrl-C asks for; a second one ends the process as it would any other."""
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
