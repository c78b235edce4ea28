"""A promise about latency, such as `p99=200ms`: so many percent of the requests are answered within so long."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from .trial import Tally

_TEXT = re.compile(r"p(?P<percent>\d+(?:\.\d+)?)=(?P<time>\d+(?:\.\d+)?)(?P<unit>us|ms|s|min)", re.ASCII)
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
# A percentile beyond takes more requests than a search has time for.
_LEAST_PERCENT, _MOST_PERCENT = 50.0, 99.9
_MOST_SECONDS = 3600.0
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Promise:
    """Hold what callers are promised: `Promise(percent=99, seconds=0.2)`.

    Attributes:
        percent: The share of the requests that are answered in time, in percent.
        seconds: The time, counted from when a request is due. A request that fails is not answered in time.
    """

    percent: float
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Promise:
        """Read a promise as it stands on the command line.

        Raises:
            ValueError: It is none; the message says what is wrong.
        """
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not a promise: write a percentile, a time and its unit, such as p99=200ms")
        percent, seconds = float(found["percent"]), float(found["time"]) * _UNITS[found["unit"]]
        if not _LEAST_PERCENT <= percent <= _MOST_PERCENT:
            raise ValueError(
                f"{text!r}: the percentile must be from {_LEAST_PERCENT:g} to {_MOST_PERCENT:g}, such as p99"
            )
        if not 0 < seconds <= _MOST_SECONDS:
            raise ValueError(f"{text!r}: the time must be more than 0 and at most an hour, such as 200ms")
        return cls(percent, seconds)

    @property
    def late_share(self) -> float:
        """Return the share of the requests that may be late."""
        return 1 - self.percent / 100

    def late(self, tally: Tally) -> int:
        """Return how many requests were late or failed."""
        limit = self.seconds * _SECOND
        late = sum(count for low, high, count in tally.latency.buckets() if (low + high) / 2 > limit)
        return late + tally.failures + tally.unfinished

    def __str__(self) -> str:
        time = f"{self.seconds * 1000:g} ms" if self.seconds < 1 else f"{self.seconds:g} s"
        return f"p{self.percent:g} within {time}"


def replicas_for(rate: float, capacity: float, spare: float) -> int:
    """Return how many replicas carry a rate, each up to a share of its capacity."""
    return max(1, math.ceil(rate / (capacity * spare) - 1e-9))
