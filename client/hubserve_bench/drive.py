"""Run a trial against a real server: the clock, the connection, the processor time, Ctrl-C."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeAlias

from hubserve import CallError
from hubserve.internals import Call, ModelServer
from hubserve.wire.codec import PREDICT
from hubserve_cli.common.interrupts import StopRequest

from .arrivals import Limits, Point
from .machine import ProcessorTimes, busy_share, processor_times
from .trial import Tally, Trial

_SECOND = 1_000_000_000
# The most bytes of requests that gRPC holds in flight.
_MOST_BYTES_IN_FLIGHT = 2**30
# Nanoseconds in which answers in flight may still arrive after Ctrl-C.
_GRACE = 2 * _SECOND
# Seconds after which the loop checks its state, even if nothing arrives.
_LONGEST_WAIT = 1.0

# A request's number, the time, its answer; None: check the state.
_Landed: TypeAlias = "SimpleQueue[tuple[int, int, bytes | CallError] | None]"


@dataclass(frozen=True, slots=True)
class Measured:
    """The result of a point.

    Attributes:
        point: The load.
        tally: The outcomes of its requests.
        request_bytes: The mean size of a request.
        cpu_seconds: Processor time of this process, with all its threads, in the tally's window.
        machine_busy: The share of this machine's processor time that was used in the window; None: unknown.
        interrupted: Whether the point was stopped early.
    """

    point: Point
    tally: Tally
    request_bytes: float
    cpu_seconds: float
    machine_busy: float | None
    interrupted: bool


def drive(point: Point, limits: Limits, requests: Sequence[bytes], server: ModelServer, stop: StopRequest) -> Measured:
    """Send the requests in turn as the load says, without retries: a failure is a measurement."""
    # A SimpleQueue, because a signal handler may call its put at any time.
    landed: _Landed = SimpleQueue()
    stop.wake = lambda: landed.put(None)
    request_bytes = sum(map(len, requests)) / len(requests)
    most = min(limits.in_flight, int(_MOST_BYTES_IN_FLIGHT / request_bytes))
    trial = Trial(point.load, replace(limits, in_flight=max(most, 1)), time.perf_counter_ns())
    meter = _Meter(trial)
    payloads = itertools.cycle(requests)
    calls: dict[int, Call] = {}
    give_up_at: int | None = None
    while not trial.finished(now := time.perf_counter_ns()):
        meter.read(now)
        if stop.signal is not None:
            trial.stop(now)
            give_up_at = give_up_at or now + _GRACE
            if now >= give_up_at:
                trial.abandon()
                break
        due = trial.next_due(now)
        if due is not None and due <= now:
            number, timeout = trial.begin(now)
            calls[number] = server.start(PREDICT, next(payloads), timeout)
            trial.handed(number, time.perf_counter_ns())
            calls[number].add_done_callback(partial(_land, landed, number, calls[number]))
            patience = 0.0
        else:
            patience = _LONGEST_WAIT if due is None else min((due - now) / _SECOND, _LONGEST_WAIT)
        for number, at, answer in _taken(landed, patience):
            del calls[number]
            if isinstance(answer, CallError):
                trial.landed(number, at, failure=answer.code.name, words=answer.details)
            else:
                trial.landed(number, at, size=len(answer))
    meter.read(time.perf_counter_ns())
    for call in calls.values():
        call.cancel()
    return Measured(point, trial.tally, request_bytes, meter.cpu_seconds, meter.busy, stop.signal is not None)


def _land(landed: _Landed, number: int, call: Call, _: object) -> None:
    """Record an answer as soon as it arrives; runs on a thread of gRPC."""
    at = time.perf_counter_ns()
    try:
        landed.put((number, at, call.result()))
    except CallError as error:
        landed.put((number, at, error))


def _taken(landed: _Landed, patience: float) -> Iterator[tuple[int, int, bytes | CallError]]:
    """Return what has arrived, after waiting up to `patience` seconds for the first."""
    try:
        found = landed.get(timeout=patience) if patience > 0 else landed.get_nowait()
        while True:
            if found is not None:
                yield found
            found = landed.get_nowait()
    except Empty:
        return


class _Meter:
    """Read the processor times when the trial's window opens and when it closes."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._from: tuple[float, ProcessorTimes | None] | None = None
        self._to: tuple[float, ProcessorTimes | None] | None = None

    def read(self, now: int) -> None:
        opened_at = self._trial.opened_at
        if self._from is None and opened_at is not None and now >= opened_at:
            self._from = (time.process_time(), processor_times())
        if self._to is None and self._trial.closed_at is not None:
            self._to = (time.process_time(), processor_times())

    @property
    def cpu_seconds(self) -> float:
        return self._to[0] - self._from[0] if self._from and self._to else 0.0

    @property
    def busy(self) -> float | None:
        return busy_share(self._from[1], self._to[1]) if self._from and self._to else None
