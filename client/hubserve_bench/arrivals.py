"""Plan when requests are due: a constant number in flight, or a constant rate."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Closed:
    """Closed loop: `Closed(4)` sends a request as soon as fewer than 4 are in flight."""

    concurrency: int


@dataclass(frozen=True, slots=True)
class Open:
    """Open loop: `Open(50.0, poisson=True, seed=0)` has 50 requests due in a second, whatever the server does.

    Attributes:
        rate: Requests a second.
        poisson: Requests at random times, as from many independent callers; False: at equal intervals.
        seed: The seed of the random numbers.
    """

    rate: float
    poisson: bool
    seed: int

    def arrivals(self) -> Iterator[int]:
        """Return the times at which requests are due, in nanoseconds from the start, without end."""
        if not self.poisson:
            # A product, not a sum, so that rounding errors do not add up.
            for number in itertools.count():
                yield round(number * _SECOND / self.rate)
        draw = random.Random(self.seed)  # noqa: S311 - not used for security
        at = 0.0
        while True:
            at += draw.expovariate(self.rate)
            yield round(at * _SECOND)


Load = Closed | Open


@dataclass(frozen=True, slots=True)
class Point:
    """One load to measure: `Point(batch_size=8, load=Closed(4))`."""

    batch_size: int
    load: Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on the length of each point.

    Attributes:
        warmup: Seconds of load before the measurement.
        duration: Seconds in which measured requests are due; None: until there are `requests`.
        requests: The most requests to measure; None: no limit.
        timeout: Seconds from when a request is due until it counts as failed.
        in_flight: The most requests in flight, so that an overload does not fill this machine's memory.
    """

    warmup: float
    duration: float | None
    requests: int | None
    timeout: float
    in_flight: int = 1000


def sweep(batch_sizes: Sequence[int], loads: Sequence[Load]) -> list[Point]:
    """Return every load with every batch size, smaller batches first."""
    return [Point(batch_size, load) for batch_size in batch_sizes for load in loads]
