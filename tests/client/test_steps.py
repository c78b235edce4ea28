"""The retry loop of both clients, driven by hand on a simulated clock."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from client.simulation import failure
from hubserve import CallError, Retry
from hubserve._schedule.batching import Capacity, Limits
from hubserve._schedule.retry import Contact
from hubserve._schedule.steps import Ask, Pause, Steps, asked

GONE = failure("UNAVAILABLE", "failed to connect")
REFUSED = failure("PERMISSION_DENIED", "no")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def asking(clock: Callable[[], float], timeout: float | None = 30.0) -> Steps[bytes]:
    contact = Contact(Retry(first_delay=1.0, max_seconds=10.0), lambda: 1.0)
    contact.answered(clock())
    return asked(contact, "/service/Method", b"request", timeout, clock)


def test_an_answer_is_the_end() -> None:
    steps = asking(Clock())

    assert next(steps) == Ask("/service/Method", b"request", 30.0, deadline=130.0, resends=0)
    with pytest.raises(StopIteration) as end:
        steps.send(b"answer")
    assert end.value.value == b"answer"


def test_a_failure_is_followed_by_a_pause_and_by_the_same_request_with_its_count() -> None:
    clock = Clock()
    steps = asking(clock)
    next(steps)

    pauses = []
    for resends in (1, 2, 3):
        pause = steps.throw(GONE)
        assert isinstance(pause, Pause)
        pauses.append(pause.seconds)
        clock.now += pause.seconds
        assert next(steps) == Ask("/service/Method", b"request", 30.0, deadline=130.0, resends=resends)

    assert pauses == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_a_failure_that_no_retry_fixes_is_raised_at_once(timeout: float | None) -> None:
    steps = asking(Clock(), timeout)
    next(steps)

    with pytest.raises(CallError) as raised:
        steps.throw(REFUSED)
    assert raised.value is REFUSED


def test_no_retry_comes_after_the_callers_deadline() -> None:
    clock = Clock()
    steps = asking(clock, timeout=2.5)
    next(steps)
    clock.now += 2.0

    with pytest.raises(CallError):
        steps.throw(GONE)


def test_limits_that_many_threads_lower_at_once_end_at_the_lowest() -> None:
    capacity = Capacity(Limits(1000, 1000), threading.Lock())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(capacity.lower, [Limits(size, 2000 - size) for size in range(1, 1001)]))

    assert capacity.limits == Limits(1, 1000)
