"""The search for the highest rate that keeps a promise: what to try next, and what follows from all that was tried.

It has no clock and sends nothing. The rates are first doubled until the promise breaks, and then tried around the
border, longer. The result does not come from the last try alone: near the border, the logarithm of the share of late
requests is nearly a straight line over the rate. For a queue with one server and exponential service it is exactly
one, because P(latency > t) = exp(-(mu - rate) t); for others it is the limit in heavy traffic (J. F. C. Kingman, "The
single server queue in heavy traffic", 1961). So all tries are weighed together: a logistic curve over the logarithm of
the rate has two unknowns, the border and the slope, and Bayes' rule gives their probabilities on a grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .promise import Promise

# Of a search of 60 seconds: for each doubling, for each halving of the interval, and for each try around the border.
_RAMP_SECONDS, _HALVING_SECONDS, _FIRST_TRY, _TRY_SECONDS = 1.0, 2.0, 3.0, 7.0
_HALVINGS = 3
_RAMP_REQUESTS = 20
_WARM = 0.15
_FACTOR = 2.0
# A share of late requests that no chance explains, as a multiple of the one allowed.
_CLEARLY = 4.0
# Late requests come in clusters, so that so many of them count as one; tries far from the border count less.
_CLUSTER = 8.0
_FAR = 0.01
# Of the logit of the late share, over the logarithm of the rate: from a slow median to a queue that bursts.
_SLOPES = tuple(2.0 * 1.5**number for number in range(13))
_BORDERS = 61
# Where to try next, in logits from the border: where more requests are late, the curve shows more.
_OFFSETS = (0.0, 1.2, -0.3, 0.6)
_FARTHEST = 0.08
_LEAST_RATE = 0.2
_LARGEST_RATE = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Try:
    """Hold a rate to be tried.

    Attributes:
        rate: Requests a second, with four digits that count.
        warmup: Seconds before anything counts.
        duration: Seconds that count.
    """

    rate: float
    warmup: float
    duration: float


@dataclass(frozen=True, slots=True)
class Tried:
    """Hold what came of a try.

    Attributes:
        rate: Requests a second.
        requests: How many counted.
        late: How many of them were late or failed.
    """

    rate: float
    requests: int
    late: int

    @property
    def share(self) -> float:
        """Return the share of late requests."""
        return self.late / self.requests if self.requests else 0.0


class SloSearch:
    """Searches the rate: `while (one := search.next()) is not None: search.add(...)`, then `search.rate()`.

    Args:
        promise: What must be kept.
        seconds: How long the search may take.
        alone: Seconds that a request takes when it is alone.

    Attributes:
        tried: All tries so far.
        hopeless: Whether the promise is broken at a rate at which requests hardly meet.
        spent: Seconds so far.
    """

    def __init__(self, promise: Promise, seconds: float, alone: float) -> None:
        self._promise = promise
        self._seconds = seconds
        self._alone = max(alone, 1e-6)
        self.tried: list[Tried] = []
        self.hopeless = False
        self.spent = 0.0
        self._good = 0.0
        self._bad = math.inf
        self._step = 0
        self._doubted = False

    def next(self) -> Try | None:
        """Return what to try next; None when the time is over, or nothing is to be found."""
        left = self._seconds - self.spent
        if self.hopeless or left <= 0.5:
            return None
        if not self.tried:
            return self._ramp(min(max(0.5 / self._alone, 1.0), _LARGEST_RATE))
        if self._doubted:
            return self._ramp(self.tried[-1].rate)
        if math.isinf(self._bad):
            rate = self.tried[-1].rate * _FACTOR
            return self._ramp(rate) if rate <= _LARGEST_RATE else None
        if not self._good:
            rate = self.tried[-1].rate / _FACTOR
            # Requests of this rate hardly meet, and one alone is late: less load does not help.
            if (
                self._alone > self._promise.seconds
                or self._bad < max(0.1 / self._alone, _LEAST_RATE)
                or rate < _LEAST_RATE
            ):
                self.hopeless = True
                return None
            return self._ramp(rate)
        unit = self._seconds / 60
        self._step += 1
        if self._step <= _HALVINGS and self._bad / self._good > 1.15:
            seconds, rate = (
                _HALVING_SECONDS * unit,
                self._border() if self._step > 1 else math.sqrt(self._good * self._bad),
            )
        else:
            first = self._step <= _HALVINGS + 2
            seconds = (_FIRST_TRY if first else _TRY_SECONDS) * unit
            border, slope = self._curve()
            offset = _OFFSETS[self._step % len(_OFFSETS)] / slope
            rate = border * math.exp(min(max(offset, -_FARTHEST), _FARTHEST))
        if left < 1.5 * seconds:
            seconds = left
        return _try(rate, _WARM * seconds, (1 - _WARM) * seconds)

    def add(self, rate: float, requests: int, late: int, seconds: float) -> None:
        """Take what came of a try.

        Args:
            rate: Requests a second.
            requests: How many counted.
            late: How many of them were late or failed.
            seconds: How long it took, with the wait for the last answers.
        """
        one = Tried(rate, requests, late)
        first = all(before.rate != rate for before in self.tried)
        self.tried.append(one)
        self.spent += seconds
        if not requests:
            return
        allowed = self._promise.late_share
        many = _CLEARLY if math.isinf(self._bad) else 1.5
        if one.share > min(many * allowed, (1 + allowed) / 2) and (late >= 3 or late == requests):
            # A short pause of this machine breaks a short try too: the first bad one is measured a second time.
            self._doubted = first and math.isinf(self._bad)
            if not self._doubted:
                self._bad = min(self._bad, rate)
        else:
            self._doubted = False
            self._good = max(self._good, rate)
        if self._good >= self._bad:
            # One of the two was chance.
            self._good, self._bad = self._bad * 0.9, self._good * 1.1

    def rate(self) -> float | None:
        """Return the highest rate that keeps the promise; None if none was found."""
        if self.hopeless or not self._good:
            return None
        return self._good if math.isinf(self._bad) else self._border()

    def settled(self) -> bool:
        """Tell whether the border was reached, and not only the end of the time or of this machine's rates."""
        return not math.isinf(self._bad)

    def _ramp(self, rate: float) -> Try:
        duration = min(max(_RAMP_SECONDS * self._seconds / 60, _RAMP_REQUESTS / rate), self._seconds / 15)
        return _try(rate, 0.2 * duration, duration)

    def _border(self) -> float:
        return self._curve()[0]

    def _curve(self) -> tuple[float, float]:
        """Return the border and the slope: their means over all curves, by the curves' probabilities."""
        middle = math.sqrt(self._good * self._bad)
        # From afar, a curve over all tries; then one over those that are near.
        for width, reach in ((0.7, 0.25), (0.3, 0.1), (0.15, 0.05)):
            middle, slope = _mean_curve(self.tried, middle, width, reach, self._promise.late_share)
        return middle, slope


def _try(rate: float, warmup: float, duration: float) -> Try:
    return Try(float(f"{rate:.4g}"), warmup, duration)


def _mean_curve(tried: list[Tried], near: float, width: float, reach: float, allowed: float) -> tuple[float, float]:
    """Weigh curves whose border is within e to the power of ±width of a rate."""
    wanted = math.log(allowed / (1 - allowed))
    heard = []
    for one in tried:
        away = math.log(one.rate / near)
        heard.append((away, one.share, one.requests / _CLUSTER * max(math.exp(-((away / reach) ** 2)), _FAR)))
    curves = []
    for step in range(_BORDERS):
        border = (2 * step / (_BORDERS - 1) - 1) * width
        for slope in _SLOPES:
            likely = 0.0
            for away, share, weight in heard:
                logit = wanted + slope * (away - border)
                # The logarithms of the share that the curve expects, and of its rest, without overflow.
                late = -math.log1p(math.exp(-logit)) if logit > -30 else logit
                in_time = -math.log1p(math.exp(logit)) if logit < 30 else -logit
                likely += weight * (share * late + (1 - share) * in_time)
            curves.append((likely, border, math.log(slope)))
    most = max(likely for likely, _, _ in curves)
    weights = [math.exp(likely - most) for likely, _, _ in curves]
    total = sum(weights)
    border = sum(weight * border for weight, (_, border, _) in zip(weights, curves, strict=True)) / total
    slope = sum(weight * slope for weight, (_, _, slope) in zip(weights, curves, strict=True)) / total
    return near * math.exp(border), math.exp(slope)
