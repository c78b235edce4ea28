"""Counts of latencies in log-linear buckets, like HdrHistogram's (Gil Tene, hdrhistogram.org).

No value is sampled, and none is out of range. The package `hdrhistogram` was not chosen: it refuses values above a
limit that is set beforehand, keeps no exact sum and no exact maximum, and cannot be installed beside TensorFlow Hub (it
needs a setuptools without pkg_resources).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

# Each power of two is divided into 2**7 buckets of equal width.
_BITS = 7
# The largest difference between a value that is read back and the recorded one, as a share of it: half a bucket.
RELATIVE_ERROR = 2.0 ** -(_BITS + 1)


class Histogram:
    """`histogram.record(1_500_000)`, `histogram.percentile(99)`: whole numbers from 0, here nanoseconds.

    Attributes:
        count: The number of values; exact, as are `total`, `least` and `most`.
        total: Their sum.
        least: The smallest; None if there are no values.
        most: The largest; None if there are no values.
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.total = 0
        self.least: int | None = None
        self.most: int | None = None

    def record(self, value: int) -> None:
        """Count one value."""
        shift = max(value.bit_length() - _BITS - 1, 0)
        index = (shift << _BITS) + (value >> shift)
        self._counts[index] = self._counts.get(index, 0) + 1
        self.count += 1
        self.total += value
        self.least = value if self.least is None else min(self.least, value)
        self.most = value if self.most is None else max(self.most, value)

    def add(self, other: Histogram) -> None:
        """Count all values of another histogram."""
        for index, count in other._counts.items():
            self._counts[index] = self._counts.get(index, 0) + count
        self.count += other.count
        self.total += other.total
        self.least = min((value for value in (self.least, other.least) if value is not None), default=None)
        self.most = max((value for value in (self.most, other.most) if value is not None), default=None)

    @property
    def mean(self) -> float | None:
        """The exact mean; None if there are no values."""
        return self.total / self.count if self.count else None

    def percentile(self, percent: float, beyond: int = 0) -> int | None:
        """Return the smallest value that is at least as large as that percentage of the values (the nearest rank).

        Args:
            percent: From 0 to 100.
            beyond: The number of further values, all larger than any recorded: requests that were never answered.

        Returns:
            A value within `RELATIVE_ERROR` of the exact one; None: it is one of those beyond, or there are no values.
        """
        rank = max(math.ceil(Fraction(str(percent)) * (self.count + beyond) / 100), 1)
        if self.least is None or self.most is None or rank > self.count:
            return None
        if rank == self.count:
            return self.most
        seen = 0
        for low, high, count in self.buckets():
            seen += count
            if seen >= rank:
                return min(max((low + high + 1) // 2, self.least), self.most)
        raise AssertionError("the buckets hold fewer than were counted")

    def buckets(self) -> Iterator[tuple[int, int, int]]:
        """Return smallest value, largest value and count of each bucket with values, in rising order."""
        for index, count in sorted(self._counts.items()):
            shift = max((index >> _BITS) - 1, 0)
            low = (index - (shift << _BITS)) << shift
            yield low, low + (1 << shift) - 1, count
