"""One load on a server: when requests are due, and what counts. Arithmetic on nanoseconds that are passed in.

Latency is counted from when a request was due, not from when it was sent. In an open loop this shows what callers would
have seen. A server that stalls delays the generator, so that the requests of the stall are sent late, and would seem to
be answered fast. Gil Tene named this "coordinated omission" (How NOT to Measure Latency, 2013). A closed loop cannot
avoid it: while all of its requests wait, no other is due, so that a stall hits only the requests in flight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from hubserve_cli.common.histogram import Histogram

from .arrivals import Closed, Limits, Load

_SECOND = 1_000_000_000
# After a failure, a place of a closed loop rests: refusals come at once, and would soon be most of what is counted.
_REST = 100_000_000
# The request timed out before it could be sent; the other names of failures are gRPC's.
NOT_SENT = "NOT_SENT"


@dataclass(slots=True)
class Failures:
    """Failures of one kind: their number, and the message of the first."""

    count: int = 0
    words: str = ""


@dataclass(slots=True)
class Tally:
    """The measured requests: each is in `latency`, in `failed`, or in `unfinished`.

    Attributes:
        latency: The time from when a request was due to its answer, of those answered.
        late: The time from when a request was due until it was sent, of those sent.
        sending: Nanoseconds for handing requests to gRPC, summed over those answered.
        waiting: Nanoseconds from there to the answer, summed over those answered.
        failed: The failures, by gRPC's code or `NOT_SENT`.
        unfinished: Requests that were neither answered nor failed when the run was stopped.
        span: Nanoseconds in which they were due, from the end of the warm-up.
        window: Nanoseconds over which answers were counted for the throughput.
        answered: Answers in the window, whenever their requests were sent.
        landed: Answers and failures in the window.
        answer_bytes: The bytes of the answers in `latency`, summed.
        held_back: How many requests waited because too many were in flight.
        most_in_flight: The most requests in flight at once.
    """

    latency: Histogram = field(default_factory=Histogram)
    late: Histogram = field(default_factory=Histogram)
    sending: int = 0
    waiting: int = 0
    failed: dict[str, Failures] = field(default_factory=dict)
    unfinished: int = 0
    span: int = 0
    window: int = 0
    answered: int = 0
    landed: int = 0
    answer_bytes: int = 0
    held_back: int = 0
    most_in_flight: int = 0

    @property
    def failures(self) -> int:
        """The number of failed requests."""
        return sum(failures.count for failures in self.failed.values())

    @property
    def due(self) -> int:
        """The number of requests that were due."""
        return self.latency.count + self.failures + self.unfinished


@dataclass(slots=True)
class _Sent:
    due: int
    begun: int
    handed: int
    measured: bool


class Trial:
    """A load during warm-up, measurement, and the wait for the last answers.

    Requests are measured if they are due between the end of the warm-up and the end of the duration, however late their
    answers come. The throughput is counted over a window that begins there and ends with the first answer after the
    end. In a closed loop the window begins with an answer, too, and lasts until as many requests are measured as are in
    flight at once, so that a server whose answers take longer than the duration is measured as well.

    Args:
        load: The load.
        limits: How long it lasts.
        start: The time.
    """

    def __init__(self, load: Load, limits: Limits, start: int) -> None:
        self.tally = Tally()
        self._concurrency = load.concurrency if isinstance(load, Closed) else limits.in_flight
        self._arrivals: Iterator[int] | None = None if isinstance(load, Closed) else load.arrivals()
        self._limits = limits
        self._start = start
        self._timeout = round(limits.timeout * _SECOND)
        self._warm_at = start + round(limits.warmup * _SECOND)
        self.opened_at: int | None = None
        self.closed_at: int | None = None
        if self._arrivals is not None or not limits.warmup:
            self.opened_at = self._warm_at
        self._due: int | None = None if self._arrivals is None else start + next(self._arrivals)
        self._held: int | None = None
        # When resting places are free again, in order.
        self._resting: deque[int] = deque()
        self._measured = 0
        self._measured_landed = 0
        self._stopped = False
        self._number = 0
        self._sent: dict[int, _Sent] = {}

    def next_due(self, now: int) -> int | None:
        """Return the time of the next request, which may be past; None: not before an answer or failure, or never."""
        if self._arrivals is None:
            return self._free_at(now) if not self._over(now) else None
        while (due := self._due) is not None and not self._over(due):
            if due + self._timeout <= now:
                self._give_up(due)
            elif len(self._sent) < self._concurrency:
                return due
            else:
                if due <= now and due != self._held:
                    self._held = due
                    self.tally.held_back += self.opened_at is not None and due >= self.opened_at
                return None
        return None

    def begin(self, now: int) -> tuple[int, float]:
        """Record that the next request is sent now; return its number and the seconds until its timeout."""
        due = self._next_arrival() if self._arrivals is not None else now
        measured = self._measure(due)
        self._number += 1
        self._sent[self._number] = _Sent(due, now, now, measured)
        self.tally.most_in_flight = max(self.tally.most_in_flight, len(self._sent))
        if measured:
            self.tally.late.record(now - due)
        return self._number, (due + self._timeout - now) / _SECOND

    def handed(self, number: int, now: int) -> None:
        """Record that gRPC has the request."""
        self._sent[number].handed = now

    def landed(self, number: int, at: int, *, size: int = 0, failure: str | None = None, words: str = "") -> None:
        """Record an answer of `size` bytes, or a failure by the name of its code."""
        sent = self._sent.pop(number)
        if self.opened_at is None and at >= self._warm_at:
            self.opened_at = at
        elif self.opened_at is not None and self.opened_at < at and self.closed_at is None:
            self.tally.landed += 1
            self.tally.answered += failure is None
        if self._arrivals is None and failure is not None:
            self._resting.append(at + _REST)
        if sent.measured:
            self._count(sent, at, size, failure, words)
        end = self._end()
        if (end is not None and at >= end and self._measured_landed) or self._measured_landed == self._limits.requests:
            self._close(at)

    def stop(self, now: int) -> None:
        """Send no more requests; those that were due and not sent are unfinished."""
        while self._due is not None and self._due <= now and not self._over(self._due):
            self.tally.unfinished += self._measure(self._next_arrival())
        self._stopped = True
        self._close(now)

    def abandon(self) -> None:
        """Stop waiting for the requests in flight: they are unfinished."""
        self.tally.unfinished += sum(sent.measured for sent in self._sent.values())
        self._sent.clear()

    def finished(self, now: int) -> bool:
        """Tell whether all requests that were due have been answered or have failed."""
        if self._sent or not self._over(now if self._due is None else self._due):
            return False
        self._close(now)
        return True

    def _over(self, due: int) -> bool:
        """Tell whether a request due at this time is no longer sent."""
        if self._stopped or self._measured == self._limits.requests:
            return True
        end = self._end()
        enough = self._arrivals is not None or self._measured >= self._concurrency
        return end is not None and due >= end and enough

    def _free_at(self, now: int) -> int | None:
        """Return when a closed loop has a place for a request; None: not before an answer or failure."""
        while self._resting and self._resting[0] <= now:
            self._resting.popleft()
        if len(self._sent) + len(self._resting) < self._concurrency:
            return now
        return self._resting[0] if self._resting else None

    def _end(self) -> int | None:
        if self.opened_at is None or self._limits.duration is None:
            return None
        return self.opened_at + round(self._limits.duration * _SECOND)

    def _measure(self, due: int) -> bool:
        """Count a request that is due at this time, if it is measured."""
        if self.opened_at is None or due < self.opened_at:
            return False
        self._measured += 1
        self.tally.span = due - self.opened_at
        return True

    def _next_arrival(self) -> int:
        due, arrivals = self._due, self._arrivals
        assert due is not None and arrivals is not None  # noqa: S101, PT018 - an open loop always has one
        self._due = self._start + next(arrivals)
        return due

    def _give_up(self, due: int) -> None:
        self._next_arrival()
        if self._measure(due):
            self._fail(NOT_SENT, f"still waiting to be sent {self._limits.timeout:g} s after it was due")

    def _count(self, sent: _Sent, at: int, size: int, failure: str | None, words: str) -> None:
        if failure is not None:
            self._fail(failure, words)
            return
        self._measured_landed += 1
        self.tally.latency.record(at - sent.due)
        self.tally.sending += sent.handed - sent.begun
        self.tally.waiting += at - sent.handed
        self.tally.answer_bytes += size

    def _fail(self, name: str, words: str) -> None:
        self._measured_landed += 1
        failures = self.tally.failed.setdefault(name, Failures(words=words))
        failures.count += 1

    def _close(self, at: int) -> None:
        if self.closed_at is None:
            self.closed_at = at
            self.tally.window = max(at - self.opened_at, 0) if self.opened_at is not None else 0
