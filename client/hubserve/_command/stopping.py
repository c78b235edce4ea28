"""Ctrl-C and SIGTERM end a run between two records, and never within one."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """Somebody wants the run to end; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


class Signals:
    """Raises `Stopped` when a signal comes, but not while it is held.

    with Signals() as signals:
        with signals.held:
            write(record)
    """

    def __init__(self) -> None:
        self.held = _Held()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        # Python lets no other thread do it; there, the signals do what they did.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._come) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _come(self, number: int, _: FrameType | None) -> None:
        self.held.come(number)


class _Held:
    """While it is entered, a signal waits."""

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
        # What is on its way out already is not replaced by the signal.
        if not self._depth and error is None and self._waiting is not None:
            number, self._waiting = self._waiting, None
            raise Stopped(number)
