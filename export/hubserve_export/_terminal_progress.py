"""Show how far an export is: a live line on a terminal, one line for each step elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from hubserve_cli.common.terminal import draws, write_over

from ._progress import Progress

_REFRESH_SECONDS = 0.5
_REFRESH_IN_A_LOG_SECONDS = 15


class _Rate:
    """The bytes of one step in words, with the rate since its start.

    Args:
        began: The clock's seconds at the start.
    """

    def __init__(self, began: float) -> None:
        self._began = began
        self._first: int | None = None

    def words(self, now: float, done: int, total: int | None) -> str:
        """Return, for example, "120 of 345 MB, 8.1 MB/s"."""
        if self._first is None:
            self._first = done  # Bytes of an earlier run do not count for the rate.
        rate = (done - self._first) / max(now - self._began, 0.001)
        of = "" if total is None else f" of {total / 1e6:.0f}"
        return f"{done / 1e6:.0f}{of} MB, {rate / 1e6:.1f} MB/s"


class _Lines(Progress):
    """A line at the start of each step, with the seconds since the first."""

    def __init__(self, stream: TextIO, words: Callable[[str], str]) -> None:
        self._stream = stream
        self._words = words
        self._started = self._told = time.monotonic()
        self._rate = _Rate(self._started)

    def step(self, what: str) -> None:
        self._rate = _Rate(time.monotonic())
        print(self._line(what), file=self._stream, flush=True)

    def received(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        text = self._rate.words(now, done, total)
        if done == total or now - self._told >= _REFRESH_IN_A_LOG_SECONDS:
            self._told = now
            print(self._line(text), file=self._stream, flush=True)

    def warning(self, text: str) -> None:
        print(f"Warning: {self._words(text)}", file=self._stream, flush=True)

    def _line(self, what: str) -> str:
        return f"[{time.monotonic() - self._started:6.1f} s] {what}"


class _Live(_Lines):
    """The same, with the last line updated during its step."""

    def __init__(self, stream: TextIO, words: Callable[[str], str]) -> None:
        super().__init__(stream, words)
        self._lock = threading.Lock()
        self._step: str | None = None
        self._began = self._started
        self._parts = ""

    def step(self, what: str) -> None:
        with self._lock:
            self._finish()
            self._step, self._parts, self._began = what, "", time.monotonic()
            self._rate = _Rate(self._began)
        self.refresh()

    def part(self, done: int, total: int) -> None:
        with self._lock:
            self._parts = f", {done} of {total}"
        self.refresh()

    def received(self, done: int, total: int | None) -> None:
        # The thread draws it: a line for each piece would be too many for a terminal.
        with self._lock:
            self._parts = f", {self._rate.words(time.monotonic(), done, total)}"

    def warning(self, text: str) -> None:
        with self._lock:
            # The line of the step is drawn again below.
            write_over(self._stream, "")
            super().warning(text)
        self.refresh()

    def refresh(self) -> None:
        with self._lock:
            if self._step is not None:
                write_over(self._stream, f"{self._line(self._step)}{self._parts}")

    def close(self) -> None:
        with self._lock:
            self._finish()

    def _finish(self) -> None:
        if self._step is not None:
            took = time.monotonic() - self._began
            write_over(self._stream, f"{self._line(self._step)}{self._parts} ({took:.1f} s)")
            print(file=self._stream, flush=True)
            self._step = None


@contextmanager
def progress_on(stream: TextIO, words: Callable[[str], str] = str) -> Iterator[Progress]:
    """Write progress to a stream, in the form that suits it, while the context lasts.

    Args:
        stream: The stream.
        words: Translates a warning for the reader.
    """
    if not draws(stream):
        yield _Lines(stream, words)
        return
    live, over = _Live(stream, words), threading.Event()

    def keep_up() -> None:
        # TensorFlow may work for minutes without a report: the running clock shows that it is alive.
        while not over.wait(_REFRESH_SECONDS):
            live.refresh()

    thread = threading.Thread(target=keep_up, name="hubserve-progress", daemon=True)
    thread.start()
    try:
        yield live
    finally:
        over.set()
        thread.join()
        live.close()
