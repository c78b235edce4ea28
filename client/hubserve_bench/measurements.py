"""Collect the measurements and their circumstances in one JSON document, for the table and the chart.

Times are in milliseconds. A percentile is one of all requests that were due, and counts failures as never answered:
null means that it falls among them. `format` changes when a key changes its meaning or is removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hubserve_cli.common.histogram import RELATIVE_ERROR, Histogram

from .arrivals import Closed, Limits, Load
from .drive import Measured
from .trial import Tally

FORMAT = 1
PERCENTILES = (50, 90, 99, 99.9)
_MS = 1_000_000
_SECOND = 1_000_000_000
# Above this a process that runs Python on one core at a time is nearly at its limit.
_BUSY_CORES = 0.8
_BUSY_MACHINE = 0.9
_KEPT_UP = 0.95
# Below this delay, late sending does not need an explanation.
_LATE_MS = 1.0
_LATE_SHARE = 0.1
_WORDS = 200


def load_section(load: Load, limits: Limits, seed: int) -> dict[str, Any]:
    """Return the description of the load."""
    return {
        "mode": "closed" if isinstance(load, Closed) else "open",
        "arrivals": None if isinstance(load, Closed) else "poisson" if load.poisson else "uniform",
        "warmup_s": limits.warmup,
        "duration_s": limits.duration,
        "requests": limits.requests,
        "timeout_s": limits.timeout,
        "seed": seed,
    }


def point_section(measured: Measured, cores: float, *, here: bool) -> dict[str, Any]:
    """Return one point's figures.

    Args:
        measured: The result of the point.
        cores: How many processors the client may use.
        here: Whether the server is on this machine.
    """
    load, tally = measured.point.load, measured.tally
    batch, window = measured.point.batch_size, tally.window / _SECOND
    answered = tally.latency.count
    section: dict[str, Any] = {
        "batch_size": batch,
        "concurrency": load.concurrency if isinstance(load, Closed) else None,
        "rate": None if isinstance(load, Closed) else load.rate,
        "due": tally.due,
        # There is one interval less than there are requests.
        "due_per_s": (tally.due - 1) / (tally.span / _SECOND) if tally.span else None,
        "answered": answered,
        "failed": {
            code: {"count": failures.count, "words": failures.words[:_WORDS]}
            for code, failures in sorted(tally.failed.items())
        },
        "unfinished": tally.unfinished,
        "window_s": window,
        "requests_per_s": tally.answered / window if window else None,
        "rows_per_s": batch * tally.answered / window if window else None,
        "latency_ms": _latencies(tally),
        "mean_ms": {
            "total": _per(tally.latency.total, answered),
            "late": _per(tally.latency.total - tally.sending - tally.waiting, answered),
            "handing_over": _per(tally.sending, answered),
            "waiting": _per(tally.waiting, answered),
        },
        "late_ms": {"p99": _ms(tally.late.percentile(99)), "max": _ms(tally.late.most)},
        "held_back": tally.held_back,
        "most_in_flight": tally.most_in_flight,
        "request_bytes": round(measured.request_bytes),
        "answer_bytes": round(tally.answer_bytes / answered) if answered else None,
        "client_cpu": {
            "cores": measured.cpu_seconds / window if window else None,
            "ms_per_request": 1000 * measured.cpu_seconds / tally.landed if tally.landed else None,
        },
        "machine_busy": measured.machine_busy,
        "interrupted": measured.interrupted,
    }
    section["findings"] = list(_findings(section, cores, here=here))
    section["histogram"] = _buckets(tally.latency)
    return section


def worked(points: Sequence[dict[str, Any]]) -> bool:
    """Tell whether any request was answered."""
    return any(point["answered"] for point in points)


def _latencies(tally: Tally) -> dict[str, float | None]:
    beyond = tally.failures + tally.unfinished
    return {
        "min": _ms(tally.latency.least),
        **{f"p{percent:g}": _ms(tally.latency.percentile(percent, beyond)) for percent in PERCENTILES},
        "max": _ms(tally.latency.percentile(100, beyond)),
    }


def _findings(point: dict[str, Any], cores: float, *, here: bool) -> Iterator[str]:
    """Return sentences about what a reader of the figures must know."""
    for code, failures in point["failed"].items():
        words = f": {failures['words']}" if failures["words"] else ""
        yield f"{failures['count']} of {point['due']} requests failed with {code}{words}"
    if point["unfinished"]:
        yield f"{point['unfinished']} of {point['due']} requests were not yet answered when the run was stopped"
    due, got = point["due_per_s"], point["requests_per_s"]
    open_loop = point["rate"] is not None and not point["interrupted"]
    if open_loop and due is not None and got is not None and got < _KEPT_UP * due:
        yield "more was offered than answered: the latencies grow as long as the load lasts"
    used = point["client_cpu"]["cores"]
    if used is not None and used >= min(_BUSY_CORES, 0.9 * cores):
        yield (
            "the client used nearly all the processor time that it can, because Python uses little more than one core: "
            "it may be the limit; divide the load among several runs at the same time"
        )
    late, typical = point["late_ms"]["p99"], point["latency_ms"]["p50"]
    if point["held_back"]:
        yield (
            f"requests waited here until fewer than {point['most_in_flight']} were in flight; the wait is in their "
            "latency"
        )
    elif late is not None and late > max(_LATE_MS, _LATE_SHARE * (typical or 0)):
        yield ("the client sent requests late: it does not have enough processor time; the delay is in the latencies")
    busy = point["machine_busy"]
    if busy is not None and busy >= _BUSY_MACHINE:
        shared = "client and server share it, and slow each other down" if here else "the client may be the limit"
        yield f"this machine's processors were busy more than {_BUSY_MACHINE:.0%} of the time: {shared}"


def _buckets(histogram: Histogram) -> dict[str, Any]:
    return {
        "unit": "ns",
        "relative_error": RELATIVE_ERROR,
        "count": histogram.count,
        "sum": histogram.total,
        "min": histogram.least,
        "max": histogram.most,
        "buckets": [list(bucket) for bucket in histogram.buckets()],
    }


def _ms(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / _MS


def _per(nanoseconds: int, count: int) -> float | None:
    return nanoseconds / _MS / count if count else None
