"""Show how far a run is on one line of the terminal, and that requests to a server are retried."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from hubserve import Classification

from ..common.numbers import duration
from ..common.terminal import bar, draws, write_over
from ..common.words import in_words

_DRAW_SECONDS = 0.2
# The rate is that of the last 150 draws, half a minute.
_SAMPLES = 150
_NOTICE_SECONDS = 10.0


class Progress:
    """A line of progress: `[##---]  40 %  400 of 1,000 images, 345 a second, 2 failed, 2 s left`.

    Args:
        total: Counts the images, in its own thread; returns None if only the end of the run can tell.
        before: The number of images that earlier runs recorded.
        terminal: The stream to draw on.
        clock: Returns seconds.
    """

    def __init__(
        self,
        total: Callable[[], int | None],
        before: int,
        terminal: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terminal = terminal
        self._total: int | None = None
        self._done = before
        self._failed = 0
        self._clock = clock
        self._samples = deque([(clock(), before)], maxlen=_SAMPLES)
        self._drawn = clock()
        self._notices = Notices(self._say)
        threading.Thread(target=self._count, args=(total,), daemon=True, name="hubserve-counter").start()

    def add(self, result: Classification, image: bytes | None = None, key: str | None = None) -> None:  # noqa: ARG002
        """Count the result, and draw the line from time to time."""
        self._done += 1
        self._failed += not result.ok
        now = self._clock()
        if now - self._drawn >= _DRAW_SECONDS:
            self._drawn = now
            self._samples.append((now, self._done))
            write_over(self._terminal, self.line())

    def close(self) -> None:
        """Clear the line, for other output."""
        self._notices.close()
        write_over(self._terminal, "")

    def line(self) -> str:
        """Return the text of the line."""
        (then, done_then), (now, done) = self._samples[0], self._samples[-1]
        rate = (done - done_then) / (now - then) if now > then else 0.0
        of = f" of {self._total:,}" if self._total is not None else ""
        text = f"{self._done:,}{of} images, {rate:,.0f} a second"
        if self._failed:
            text += f", {self._failed:,} failed"
        if self._total is not None and rate:
            text += f", {duration(max(self._total - self._done, 0) / rate)} left"
        return f"{bar(self._done / self._total, self._terminal)}  {text}" if self._total else text

    def _say(self, text: str) -> None:
        write_over(self._terminal, text)
        self._terminal.write("\n")

    def _count(self, total: Callable[[], int | None]) -> None:
        # Errors of a source are reported where it is read.
        try:
            self._total = total()
        except Exception:  # noqa: BLE001
            return


class Notices(logging.Handler):
    """Shows retries from the client's log, now and then: `notices.close()` at the end."""

    def __init__(self, say: Callable[[str], object]) -> None:
        super().__init__(logging.INFO)
        self._say = say
        self._said = float("-inf")
        self._log = logging.getLogger("hubserve")
        self._level = self._log.level
        self._log.addHandler(self)
        self._log.setLevel(logging.INFO)

    def add(self, result: Classification, image: bytes | None = None, key: str | None = None) -> None:
        """Ignore the result."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show the message, if the last one was some time ago. Errors are shown with the results."""
        now = time.monotonic()
        if record.levelno == logging.INFO and now - self._said >= _NOTICE_SECONDS:
            self._said = now
            text = in_words(record.getMessage())
            self._say(text[:1].upper() + text[1:])

    def close(self) -> None:
        """Stop listening."""
        self._log.removeHandler(self)
        self._log.setLevel(self._level)
        super().close()


def progress(total: Callable[[], int | None], before: int, *, drawn: bool) -> Progress | Notices:
    """Return the sink that shows the progress on standard error.

    Args:
        total: As for `Progress`.
        before: As for `Progress`.
        drawn: Draw a line if standard error is a terminal that can; otherwise print notices only.
    """
    if drawn and draws(sys.stderr):
        return Progress(total, before, sys.stderr)
    return Notices(lambda text: print(text, file=sys.stderr, flush=True))
