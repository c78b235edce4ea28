"""Decide how many requests may be in flight: plain arithmetic on the seconds that answers take.

"auto" is TCP Vegas (Brakmo, O'Malley and Peterson, SIGCOMM 1994), as Netflix's concurrency-limits applies it to
requests. Answers take longer than the best time when requests wait for one another: of W requests in flight,
W * (1 - best / now) wait. One or two should wait: with none, a server is idle between requests; more only make each
answer later. When a server says that it has no room, W is halved for a round, and stays below the refused number for a
while (as CUBIC remembers a loss, RFC 9438). The best time is measured again from time to time with half the window
(after BBR's ProbeRTT), because images and servers change during a long run.

The calls of a client share a `Memory`: each call begins with the limit that was found last, and first measures the best
time with half of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

# A share of the window, if that is more than one request: times vary, and vary more over many servers.
_WAITING_SHARE = 1 / 6
_FEWEST_TIMES = 3
_ROUNDS_BETWEEN_PROBES = 50
# Enough for 16 replicas of a server; 32 requests of 16 MiB are half a GiB.
MOST = 32


class Window(Protocol):
    """Decide how many requests may be in flight."""

    @property
    def limit(self) -> int:
        """The most requests without an answer."""

    def answered(self, seconds: float, in_flight: int) -> None:
        """Record the answer to a full batch: its seconds, and how many requests were in flight when it was sent."""

    def overloaded(self) -> None:
        """Record that a server has no room."""


class Fixed:
    """A constant limit: `Fixed(4)`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def answered(self, seconds: float, in_flight: int) -> None:
        """Change nothing."""

    def overloaded(self) -> None:
        """Change nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """Hold what a window has found out, except for times.

    Attributes:
        limit: The most requests without an answer.
        growing_fast: Whether no request was seen to wait, so that the limit doubles.
        ceiling: The highest limit until the next attempt to raise it.
        taken: The highest limit that was not refused.
        lift: How much the next attempt raises the ceiling.
    """

    limit: int
    growing_fast: bool
    ceiling: int
    taken: int
    lift: int


class Memory:
    """Keep what the calls of one client found out last: `Vegas(most, memory)` begins with it.

    Threads may share it: `found` is only replaced as a whole.
    """

    def __init__(self) -> None:
        self.found: Found | None = None


class Vegas:
    """A limit that adapts: `window = Vegas(); window.answered(0.2, in_flight=1); window.limit`.

    Args:
        most: The highest limit.
        memory: Where the limit begins; changed with each change of the limit. None: it begins with 1.
    """

    def __init__(self, most: int = MOST, memory: Memory | None = None) -> None:
        self._most = most
        self._memory = Memory() if memory is None else memory
        found = self._memory.found or Found(limit=1, growing_fast=True, ceiling=most, taken=1, lift=1)
        self._limit = found.limit
        self._growing_fast = found.growing_fast
        self._best = float("inf")
        self._times: list[float] = []
        self._rounds = 0
        # Times of an earlier call say nothing about the images of this one.
        self._probing = found.limit > 1
        self._ceiling = found.ceiling
        self._taken = found.taken
        self._lift = found.lift

    @property
    def limit(self) -> int:
        """The most requests without an answer."""
        return max(1, self._limit // 2) if self._probing else self._limit

    def answered(self, seconds: float, in_flight: int) -> None:
        """Record the answer to a full batch; after as many answers as the limit, change the limit.

        Args:
            seconds: The time until the answer.
            in_flight: How many requests were in flight when it was sent, itself included.
        """
        # Only times at exactly the limit count: fewer requests do not fill the window, more belong to an older limit.
        if in_flight != self.limit:
            return
        self._times.append(seconds)
        if len(self._times) < max(self.limit, _FEWEST_TIMES):
            return
        typical = sum(self._times) / len(self._times)
        self._times.clear()
        if self._probing:
            self._best = typical
            self._probing = False
            return
        self._best = min(self._best, typical)
        self._adjust(self._limit * (1 - self._best / typical) if typical > 0 else 0.0)
        self._rounds += 1
        if self._rounds % _ROUNDS_BETWEEN_PROBES == 0:
            self._probing = True
            self._ceiling = min(self._most, self._ceiling + self._lift)
            self._lift *= 2
        self._remember()

    def overloaded(self) -> None:
        """Record that a server has no room: halve the limit."""
        self._times.clear()
        self._growing_fast = False
        self._ceiling = max(1, self._limit - 1)
        self._taken = min(self._taken, self._ceiling)
        self._lift = 1
        self._rounds = 0
        self._limit = max(1, self._limit // 2)
        self._remember()

    def _remember(self) -> None:
        self._memory.found = Found(self._limit, self._growing_fast, self._ceiling, self._taken, self._lift)

    def _adjust(self, waiting: float) -> None:
        self._taken = max(self._taken, self._limit)
        fewest = max(1.0, self._limit * _WAITING_SHARE)
        if waiting >= fewest:
            self._growing_fast = False
        if waiting > 2 * fewest:
            self._limit = self._taken = max(1, self._limit - 1)
        elif waiting < fewest:
            more = 2 * self._limit if self._growing_fast else max(self._limit + 1, self._taken)
            self._limit = min(self._ceiling, more)
