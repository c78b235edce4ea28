"""List the loads to measure one after another: a fixed list, or loads that follow from the last measurement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from hubserve_cli.common.numbers import number

from .arrivals import Closed, Limits, Open, Point
from .drive import Measured
from .promise import Promise, replicas_for
from .slo_search import SloSearch

_SECOND = 1_000_000_000
# To learn how long a request takes alone.
_ALONE_SECONDS = 2.0
_ALONE_REQUESTS = 20
# A request that is so late says no more by being waited for.
_LATE_ENOUGH, _LEAST_TIMEOUT = 5.0, 1.0
# What a replica is asked to carry of what it can: the rest is for the minutes until another one is up.
SPARE = 0.75


class Plan(Protocol):
    """Tells what to measure next: `while (step := plan.next()) is not None: plan.add(measure(*step), seconds)`."""

    def next(self) -> tuple[Point, Limits] | None:
        """Return the next load and how long it lasts; None at the end."""

    def add(self, measured: Measured, seconds: float) -> None:
        """Take the result, and how long it took in all."""

    def about(self) -> str:
        """Return how many points there will be, and how long that takes, in words."""

    def done(self) -> tuple[float, float | None]:
        """Return the share that is done, and the seconds that the rest takes; None where that is not known."""


class Sweep:
    """Measures loads from a list.

    Args:
        points: The loads.
        limits: How long each lasts.
    """

    def __init__(self, points: Sequence[Point], limits: Limits) -> None:
        self._points = iter(points)
        self._count = len(points)
        self._number = 0
        self._limits = limits
        lasts = limits.duration
        seconds = f", about {len(points) * (lasts + limits.warmup):.0f} s" if lasts is not None else ""
        self._about = f"{len(points)}{seconds}"

    def next(self) -> tuple[Point, Limits] | None:
        """Return the next load."""
        point = next(self._points, None)
        self._number += 1
        return None if point is None else (point, self._limits)

    def add(self, measured: Measured, seconds: float) -> None:
        """Need no result."""

    def about(self) -> str:
        """Return the number of points and the seconds that they take."""
        return self._about

    def done(self) -> tuple[float, float | None]:
        """Return the share of the points, and the seconds for the rest, with that which is measured now."""
        before = self._number - 1
        lasts = self._limits.duration
        left = None if lasts is None else (self._count - before) * (lasts + self._limits.warmup)
        return before / self._count, left


@dataclass(frozen=True, slots=True)
class _Kept:
    """Hold a try that was measured: its rate, the mean latency in seconds, and whether it kept the promise."""

    rate: float
    mean: float
    kept: bool


class Seek:
    """Measures loads around the highest rate that keeps a promise.

    Args:
        promise: What must be kept.
        seconds: How long the search takes.
        batch_size: Rows in a request.
        limits: The command's, for the timeout.
        poisson: Whether requests come at random.
        seed: Of the random numbers.
    """

    def __init__(
        self, promise: Promise, seconds: float, *, batch_size: int, limits: Limits, poisson: bool, seed: int
    ) -> None:
        self._promise = promise
        self._seconds = seconds
        self._batch_size = batch_size
        timeout = min(limits.timeout, max(_LATE_ENOUGH * promise.seconds, _LEAST_TIMEOUT))
        self._limits = replace(limits, timeout=timeout, requests=None)
        self._poisson = poisson
        self._seed = seed
        self._search: SloSearch | None = None
        self._kept: list[_Kept] = []

    def next(self) -> tuple[Point, Limits] | None:
        """Return the next load: at first one request at a time, and then what the search wants."""
        if self._search is None:
            alone = replace(self._limits, warmup=0.0, duration=_ALONE_SECONDS, requests=_ALONE_REQUESTS)
            return Point(self._batch_size, Closed(1)), alone
        one = self._search.next()
        if one is None:
            return None
        # Others than in the try before: a chance does not come twice.
        load = Open(one.rate, self._poisson, self._seed + len(self._search.tried))
        return Point(self._batch_size, load), replace(self._limits, warmup=one.warmup, duration=one.duration)

    def add(self, measured: Measured, seconds: float) -> None:
        """Take the result, and let the search learn from it."""
        load, tally = measured.point.load, measured.tally
        if isinstance(load, Closed):
            alone = tally.latency.percentile(50)
            self._search = SloSearch(
                self._promise, self._seconds, self._promise.seconds if alone is None else alone / _SECOND
            )
            self._search.spent += seconds
            return
        assert self._search is not None  # noqa: S101 - the closed loop comes first
        late = self._promise.late(tally)
        self._search.add(load.rate, tally.due, late, seconds)
        if (mean := tally.latency.mean) is not None and tally.due:
            kept = late / tally.due <= self._promise.late_share
            self._kept.append(_Kept(load.rate, mean / _SECOND, kept))

    def about(self) -> str:
        """Return how long the search takes."""
        return f"as the search for {self._promise} goes, about {self._seconds:.0f} s"

    def done(self) -> tuple[float, float | None]:
        """Return the share of the time, and the seconds that are left."""
        spent = self._search.spent if self._search is not None else 0.0
        return min(spent / self._seconds, 1.0), max(self._seconds - spent, 0.0)

    def found(self, servers: int, peak: float | None) -> dict[str, Any]:
        """Return what was found, as JSON has it.

        Args:
            servers: How many servers were measured together.
            peak: Requests a second that are expected; None: the number of replicas is not asked for.
        """
        rate = self._search.rate() if self._search is not None else None
        document: dict[str, Any] = {
            "percentile": self._promise.percent,
            "within_ms": self._promise.seconds * 1000,
            "seconds": self._search.spent if self._search is not None else 0.0,
            "servers": servers,
            "requests_per_s": rate,
            "rows_per_s": None if rate is None else rate * self._batch_size,
            "reached_the_limit": self._search is not None and self._search.settled(),
            "rows_in_flight": None,
            "threshold": None,
            "peak": peak,
            "replicas": None,
        }
        if rate is None:
            return document
        near = min(self._kept, key=lambda one: abs(math.log(one.rate / rate)), default=None)
        if near is not None:
            # Little's law: as many are in flight as come in the time that one takes.
            document["rows_in_flight"] = rate * near.mean * self._batch_size / servers
            document["threshold"] = max(1, math.floor(SPARE * document["rows_in_flight"]))
        if peak is not None:
            document["replicas"] = replicas_for(peak, rate / servers, SPARE)
        return document

    def lines(self, document: dict[str, Any], rows: str) -> Iterator[str]:
        """Return what was found, in sentences.

        Args:
            document: From `found`.
            rows: What a row of a batch is called.
        """
        rate, servers = document["requests_per_s"], document["servers"]
        if rate is None:
            yield (
                f"{self._promise} cannot be kept at any rate: requests are late even when they hardly meet. Promise "
                "more time, or make the model, the batch or the way to the server faster"
            )
            return
        if not document["reached_the_limit"]:
            yield (
                f"{self._promise} is kept at {number(rate)} requests/s, the highest rate that was tried in "
                f"{document['seconds']:.0f} s: the limit is higher. Allow more time with --duration"
            )
        else:
            yield (
                f"{self._promise} is kept up to {number(rate)} requests/s ({number(document['rows_per_s'])} {rows}/s)"
                f"{f', by {servers} servers together' if servers > 1 else ''}"
            )
        each = rate / servers
        yield f"For the manifests: one replica carries {number(SPARE * each)} requests/s with a quarter to spare"
        if document["threshold"] is not None:
            yield (
                f"  threshold of autoscaling: {document['threshold']} {rows} in flight for each replica, 3/4 of the "
                f"{number(document['rows_in_flight'])} that are in flight at that rate"
            )
        if document["replicas"] is not None:
            yield f"  replicas for {number(document['peak'])} requests/s: {document['replicas']}"
        else:
            yield "  replicas: the peak of your requests/s divided by that, rounded up (--peak R computes it)"
