"""The course of a call, on a simulated clock: the times of requests, and the result of each image."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.simulation import Simulation, failure, images, read
from hubserve import (
    CallError,
    Classification,
    DeadlineExceeded,
    ImageError,
    InvalidRequest,
    Retry,
    ServerBusy,
    ServerUnavailable,
)
from hubserve._images.encode import EncodedImage
from hubserve._schedule.batching import Capacity, Limits
from hubserve._schedule.retry import Contact
from hubserve._schedule.run import Run
from hubserve._schedule.window import Fixed

GONE = failure("UNAVAILABLE", "failed to connect")
BUSY = failure("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted")
QUOTA = failure("RESOURCE_EXHAUSTED", "quota exceeded")


def labels(results: list) -> list[str | None]:
    return [result.label for result in results]


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_every_image_is_answered_in_its_order_with_as_many_requests_out_as_the_window_allows():
    simulation = Simulation(lambda *_: (1.0, None))

    assert labels(simulation.run()) == numbers(100)
    assert simulation.sizes == [8] * 12 + [4]
    assert simulation.most_in_flight == 4
    assert simulation.now == 1004.0


FAULTS = [
    None,
    None,
    GONE,
    BUSY,
    QUOTA,
    failure("DEADLINE_EXCEEDED"),
    failure("CANCELLED"),
    failure("INVALID_ARGUMENT", "a neighbour's fault"),
    failure("INVALID_ARGUMENT", "Task size 9 is larger than maximum input batch size 3"),
    failure("RESOURCE_EXHAUSTED", "OOM when allocating tensor"),
    failure("RESOURCE_EXHAUSTED", "Received message larger than max (9 vs. 4)"),
    failure("INTERNAL", "it broke"),
]


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(st.tuples(st.floats(0.0, 100.0), st.sampled_from(FAULTS)), max_size=60),
    count=st.integers(0, 70),
    ordered=st.booleans(),
    hedge_after=st.none() | st.floats(0.1, 50.0),
    window=st.integers(1, 4),
    size=st.integers(1, 8),
    unreadable=st.frozensets(st.integers(0, 69)) | st.integers(1, 69).map(lambda first: frozenset(range(first, 70))),
)
def test_whatever_fails_each_image_gets_one_result_and_it_is_its_own(
    steps: list,
    count: int,
    ordered: bool,
    hedge_after: float | None,
    window: int,
    size: int,
    unreadable: frozenset[int],
):
    remaining = iter(steps)
    simulation = Simulation(
        lambda *_: next(remaining, (1.0, None)),
        count=count,
        ordered=ordered,
        retry=Retry(hedge_after=hedge_after),
        limits=Limits(size, 2**20),
        window=Fixed(window),
        unreadable=unreadable,
    )

    results = simulation.run()

    assert sorted(result.index for result in results) == list(range(count))
    if ordered:
        assert [result.index for result in results] == list(range(count))
    for result in results:
        if result.index in unreadable:
            assert isinstance(result.exception, ImageError)
        else:
            assert result.label == str(result.index) or isinstance(result.exception, CallError)


@pytest.mark.parametrize("good", [{0}, {0, 129}, {0, 3, 128, 129, 130}, {0, 7, 64, 140}])
def test_a_batch_that_unreadable_images_never_fill_is_sent_all_the_same(good: set[int]):
    simulation = Simulation(lambda *_: (1.0, None), count=1_000, unreadable=frozenset(range(1_000)) - good)

    results = simulation.run()

    assert {result.index for result in results if result.ok} == good
    assert [result.index for result in results] == list(range(1_000))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Task size 8 is larger than maximum input batch size 3", "INVALID_ARGUMENT"),
        ("OOM when allocating tensor with shape[8,331,331,3]", "RESOURCE_EXHAUSTED"),
        ("Received message larger than max (9 vs. 4)", "RESOURCE_EXHAUSTED"),
    ],
)
def test_a_server_that_takes_less_gets_less_from_then_on(words: str, code: str):
    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        return 1.0, failure(code, words) if len(batch) > 3 else None

    simulation = Simulation(server, count=400)

    assert labels(simulation.run()) == numbers(400)
    assert all(size <= 3 for size in simulation.sizes[60:])


def test_one_image_that_is_too_large_gets_the_refusal():
    (result,) = Simulation(lambda *_: (1.0, failure("RESOURCE_EXHAUSTED", "message larger than max")), count=1).run()

    assert isinstance(result.exception, InvalidRequest)


def test_a_server_that_comes_back_within_the_policys_time_costs_no_image_and_few_requests():
    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        away = 1002 <= now < 1052
        return (0.01, GONE) if away else (1.0, None)

    simulation = Simulation(server, count=1600, window=Fixed(16))

    assert labels(simulation.run()) == numbers(1600)
    # One at a time asks whether it is back, 0.1, 0.2, 0.4 ... 5 seconds apart.
    assert len(simulation.sizes) - 1600 / 8 < 16 + 20


def test_a_server_that_stays_away_makes_results_errors_and_the_run_ends():
    simulation = Simulation(
        lambda _, now: (0.01, GONE) if now >= 1002 else (1.0, None), count=8_000, retry=Retry(max_seconds=60)
    )

    results = simulation.run()

    answered = [result for result in results if result.ok]
    assert 0 < len(answered) < 200
    assert all(isinstance(result.exception, ServerUnavailable) for result in results[len(answered) :])
    # It is waited for once, not by each batch.
    assert simulation.now < 1002 + 60 + 1_000 * 0.01 + 10


def test_a_server_that_was_never_there_is_not_waited_for_long():
    simulation = Simulation(lambda *_: (0.0, GONE), count=10)

    assert not any(result.ok for result in simulation.run())
    assert simulation.now <= 1002.0


def test_a_busy_server_gets_retries_and_halves_the_window():
    class Counting(Fixed):
        reductions = 0

        def overloaded(self) -> None:
            self.reductions += 1

    window = Counting(4)
    steps = iter([(1.0, None), (0.5, QUOTA), (0.5, QUOTA), (0.5, QUOTA)])
    simulation = Simulation(lambda *_: next(steps, (1.0, None)), window=window)

    assert labels(simulation.run()) == numbers(100)
    assert window.reductions == 1


def test_without_retries_a_failure_is_the_result():
    steps = iter([(1.0, BUSY)])
    simulation = Simulation(lambda *_: next(steps, (1.0, None)), retry=Retry(max_seconds=0))

    results = simulation.run()

    assert isinstance(results[0].exception, ServerBusy)
    assert sum(not result.ok for result in results) == 8


def test_a_slow_request_is_hedged_and_the_first_answer_counts():
    steps = iter([(100.0, None)])
    simulation = Simulation(lambda *_: next(steps, (1.0, None)), count=32, retry=Retry(hedge_after=3.0))

    assert labels(simulation.run()) == numbers(32)
    assert simulation.now == 1004.0
    assert simulation.sizes == [8] * 5


def test_a_result_tells_what_the_request_that_answered_it_took():
    # The first fails after 9 seconds; the second is overtaken by its hedge; of the third an image was never sent.
    steps = iter([(9.0, GONE), (2.0, None), (100.0, None), (0.5, None)])
    simulation = Simulation(
        lambda *_: next(steps, (1.5, None)),
        count=24,
        window=Fixed(1),
        retry=Retry(hedge_after=3.0),
        unreadable=frozenset({20}),
    )

    seconds = [result.seconds for result in simulation.run()]

    assert seconds[:8] == [2.0] * 8
    assert seconds[8:16] == [0.5] * 8
    assert seconds[16:] == [1.5] * 4 + [None] + [1.5] * 3


def test_hedges_are_paid_from_the_budget():
    simulation = Simulation(
        lambda *_: (100.0, None), count=80, window=Fixed(10), retry=Retry(hedge_after=1.0, budget=3)
    )
    simulation.run()

    assert len(simulation.sizes) == 10 + 3


def test_an_image_that_waits_does_not_let_the_results_behind_it_pile_up():
    pushed = 0

    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        nonlocal pushed
        pushed = max(pushed, batch[-1].index)
        return (1000.0 if batch[0].index == 0 else 1.0), None

    simulation = Simulation(server, count=1_000)
    first = None
    original = simulation.server

    def watching(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        nonlocal first
        if now >= 1999 and first is None:
            first = pushed
        return original(batch, now)

    simulation.server = watching
    simulation.run()

    assert first is not None
    assert first < 4 * 4 * 8 + 2 * 8


def test_a_batch_that_lingers_is_sent_when_its_time_is_over():
    run: Run[Classification] = Run(
        read=read,
        kind=Classification,
        capacity=Capacity(Limits(8, 2**20)),
        contact=Contact(Retry()),
        window=Fixed(2),
        ordered=False,
        linger=0.01,
    )
    first, second = images(2)
    run.push(first, 5.0)
    assert run.next_request(5.005) is None
    run.push(second, 5.006)
    assert run.wake_at() == pytest.approx(5.01)

    request = run.next_request(5.011)

    assert request is not None
    assert [image.index for image in request.images] == [0, 1]


SLOW = failure("DEADLINE_EXCEEDED", "Deadline Exceeded")


def test_without_retries_a_timeout_is_the_result_at_once():
    simulation = Simulation(lambda *_: (30.0, SLOW), count=8, retry=Retry(max_seconds=0))

    assert [type(result.exception) for result in simulation.run()] == [DeadlineExceeded] * 8
    assert simulation.sizes == [8]
