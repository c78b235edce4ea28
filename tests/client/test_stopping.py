"""A signal ends a run only between two records."""

import signal
from collections.abc import Callable
from queue import SimpleQueue
from types import FunctionType

import pytest

from hubserve_cli.common.interrupts import Signals, Stopped


def call(lock: "Lock", then: Callable[[], object]) -> None:
    with lock:
        then()
        # Reached only when nothing was raised at the end of the call before.
        lock.whole = True


class Lock:
    """A lock that records whether the call that held it finished."""

    whole = False

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def grpc_call(lock: Lock, then: Callable[[], object]) -> None:
    """A call whose frame looks like gRPC's own code."""
    FunctionType(call.__code__, {"__name__": "grpc._channel"})(lock, then)


def stopped_in_a_grpc_call(lock: Lock, number: signal.Signals) -> None:
    with Signals():
        grpc_call(lock, lambda: signal.raise_signal(number))
        # Where a run spends its time.
        SimpleQueue().get(timeout=60)


def stopped_elsewhere() -> None:
    with Signals():
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("the run went on")


def stopped_in_the_last_grpc_call(lock: Lock) -> None:
    with Signals():
        grpc_call(lock, lambda: signal.raise_signal(signal.SIGINT))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_inside_of_grpc_waits_until_it_is_out_of_there(number: signal.Signals) -> None:
    lock = Lock()
    with pytest.raises(Stopped) as caught:
        stopped_in_a_grpc_call(lock, number)
    assert caught.value.number == number
    assert lock.whole


def test_a_signal_elsewhere_ends_at_once() -> None:
    with pytest.raises(Stopped):
        stopped_elsewhere()


def test_a_signal_that_waits_when_all_is_done_is_not_forgotten() -> None:
    lock = Lock()
    with pytest.raises(KeyboardInterrupt):
        stopped_in_the_last_grpc_call(lock)
    assert lock.whole


def test_no_timer_outlives_it() -> None:
    lock = Lock()
    with pytest.raises(KeyboardInterrupt):
        stopped_in_the_last_grpc_call(lock)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    # A SIGALRM that was sent before the timer was ended would be pending, and end the process.
    assert signal.SIGALRM not in signal.sigpending()
