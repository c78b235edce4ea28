"""The measurement of `hubserve bench`, against a server and a clock that exist only in arithmetic."""

import heapq
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubserve_bench.arrivals import Closed, Limits, Load, Open
from hubserve_bench.trial import NOT_SENT, Tally, Trial

MS = 1_000_000
SECOND = 1_000_000_000
# From when a request is sent, when it is answered; a name: it fails at once with that code.
Server = Callable[[int], "int | str"]


def limits(**changed: object) -> Limits:
    return Limits(**{"warmup": 0.0, "duration": 10.0, "requests": None, "timeout": 30.0, **changed})


def run(
    load: Load,
    within: Limits,
    server: Server,
    *,
    sending: Callable[[int], int] = lambda now: 0,
    stop_at: int | None = None,
    begun: list[int] | None = None,
) -> Tally:
    """Run a trial against the server; `sending` is the time to hand over a request."""
    now = 0
    trial = Trial(load, within, now)
    landing: list[tuple[int, int, str | None]] = []
    while not trial.finished(now):
        if stop_at is not None and now >= stop_at:
            trial.stop(now)
            trial.abandon()
            break
        due = trial.next_due(now)
        if due is not None and due <= now:
            number, left = trial.begin(now)
            if begun is not None:
                begun.append(now)
            answer = server(now)
            gone = now + sending(now)
            trial.handed(number, gone)
            at, failure = (gone, answer) if isinstance(answer, str) else (max(answer, gone), None)
            if at > now + round(left * SECOND):
                at, failure = now + round(left * SECOND), "DEADLINE_EXCEEDED"
            heapq.heappush(landing, (at, number, failure))
            now = gone
        else:
            next_at = min([at for at in (due, landing[0][0] if landing else None, stop_at) if at is not None])
            now = max(now, next_at)
        while landing and landing[0][0] <= now:
            at, number, failure = heapq.heappop(landing)
            trial.landed(number, at, size=100, failure=failure)
    return trial.tally


def stalls(now: int) -> int:
    """Answers after a millisecond, but nothing from the fifth second to the sixth."""
    return max(now, 6 * SECOND) + MS if 5 * SECOND <= now < 6 * SECOND else now + MS


def milliseconds(tally: Tally, percent: float) -> float:
    return tally.latency.percentile(percent, tally.failures + tally.unfinished) / MS


def test_an_open_loop_shows_a_stall_to_every_request_that_was_due_in_it() -> None:
    tally = run(Open(100.0, poisson=False, seed=0), limits(), stalls)
    # A tenth of all was due in the stall, and waited for half of it in the middle.
    assert tally.due == 1000
    assert milliseconds(tally, 89) == pytest.approx(1, rel=0.01)
    assert milliseconds(tally, 95) == pytest.approx(500, rel=0.03)
    assert milliseconds(tally, 99) == pytest.approx(900, rel=0.03)


def test_a_closed_loop_hides_it() -> None:
    tally = run(Closed(1), limits(), stalls)
    assert tally.due == 9000
    assert milliseconds(tally, 99.9) == pytest.approx(1, rel=0.01)
    assert milliseconds(tally, 100) == pytest.approx(1001, rel=0.01)


def test_a_generator_that_is_held_up_itself_hides_nothing_in_an_open_loop() -> None:
    def blocked(now: int) -> int:
        return 6 * SECOND - now if 5 * SECOND <= now < 6 * SECOND else 0

    tally = run(Open(100.0, poisson=False, seed=0), limits(), lambda now: now + MS, sending=blocked)
    assert milliseconds(tally, 95) == pytest.approx(500, rel=0.03)
    assert tally.late.percentile(95) / MS == pytest.approx(500, rel=0.03)
    assert tally.due == 1000


@pytest.mark.parametrize(("concurrency", "milliseconds_each"), [(1, 7), (4, 20), (16, 400), (3, 7000)])
def test_a_closed_loops_throughput_is_that_of_its_places(concurrency: int, milliseconds_each: int) -> None:
    tally = run(Closed(concurrency), limits(warmup=1.0), lambda now: now + milliseconds_each * MS)
    assert tally.most_in_flight == concurrency
    # As many answers more or less as land together at an end of the window.
    exact = tally.window / (milliseconds_each * MS) * concurrency
    assert tally.answered == pytest.approx(exact, abs=concurrency)
    assert tally.due >= concurrency


def test_an_answer_that_takes_longer_than_the_duration_is_measured_whole() -> None:
    tally = run(Closed(1), limits(warmup=2.0, duration=10.0), lambda now: now + 13 * SECOND)
    assert (tally.due, tally.answered, tally.window) == (1, 1, 13 * SECOND)


def test_what_is_slow_at_first_is_left_out_by_the_warmup() -> None:
    tally = run(Closed(2), limits(warmup=1.0, duration=2.0), lambda now: now + (500 * MS if now < SECOND else MS))
    assert milliseconds(tally, 100) == pytest.approx(1)
    opened = run(Open(10.0, poisson=False, seed=0), limits(warmup=1.0), lambda n: n + (50 * MS if n < SECOND else MS))
    assert milliseconds(opened, 100) == pytest.approx(1)
    assert opened.due == 100


def test_failures_are_counted_by_their_code_and_stand_beyond_every_answer() -> None:
    def every_tenth(now: int) -> int | str:
        return "RESOURCE_EXHAUSTED" if now // (10 * MS) % 10 == 0 else now + MS

    tally = run(Open(100.0, poisson=False, seed=0), limits(duration=10.0), every_tenth)
    assert {code: failures.count for code, failures in tally.failed.items()} == {"RESOURCE_EXHAUSTED": 100}
    assert (tally.due, tally.latency.count, tally.answered, tally.landed) == (1000, 900, 900, 999)
    assert milliseconds(tally, 90) == pytest.approx(1)
    assert tally.latency.percentile(91, tally.failures) is None


def test_an_overload_is_bounded_and_every_request_that_was_due_is_counted() -> None:
    """Ten requests a second offered, one answered, at most five in flight, each given up after three seconds."""
    free_at = [0]

    def one_a_second(now: int) -> int:
        free_at[0] = max(free_at[0], now) + SECOND
        return free_at[0]

    tally = run(Open(10.0, poisson=False, seed=0), limits(duration=20.0, timeout=3.0, in_flight=5), one_a_second)
    assert tally.due == 200
    assert tally.most_in_flight == 5
    assert tally.held_back > 0
    assert tally.failed["DEADLINE_EXCEEDED"].count == 200 - tally.latency.count
    assert milliseconds(tally, 1) > 0
    assert tally.latency.percentile(50, tally.failures) is None


def test_what_could_not_be_sent_in_time_is_counted_and_not_sent() -> None:
    def blocked(now: int) -> int:
        return 5 * SECOND if now == 0 else 0

    begun: list[int] = []
    within = limits(duration=10.0, timeout=3.0)
    tally = run(Open(10.0, poisson=False, seed=0), within, lambda now: now + MS, sending=blocked, begun=begun)
    # Due from 0.1 s to 2 s, and given up before 5 s; the first was handed over too late.
    assert {code: failures.count for code, failures in tally.failed.items()} == {NOT_SENT: 20, "DEADLINE_EXCEEDED": 1}
    assert (tally.due, len(begun)) == (100, 80)


def test_a_number_of_requests_is_kept_to() -> None:
    for load in (Closed(4), Open(100.0, poisson=True, seed=0)):
        begun: list[int] = []
        tally = run(load, limits(duration=None, requests=25), lambda now: now + 10 * MS, begun=begun)
        assert (tally.due, tally.latency.count, len(begun)) == (25, 25, 25)
        assert tally.answered == 25
    assert run(Closed(1), limits(duration=0.05, requests=25), lambda now: now + 10 * MS).due == 5


@pytest.mark.parametrize("load", [Closed(4), Open(10.0, poisson=False, seed=0)])
def test_broken_off_it_tells_what_was_measured_and_what_was_not_finished(load: Load) -> None:
    tally = run(load, limits(in_flight=2), lambda now: now + 300 * MS, stop_at=5 * SECOND + 1)
    assert tally.latency.count > 10
    assert tally.unfinished >= 2
    assert tally.window == 5 * SECOND + 1
    if isinstance(load, Open):
        assert tally.due == 51


def test_a_closed_loop_does_not_hammer_a_server_that_refuses() -> None:
    def away_for_a_second(now: int) -> int | str:
        return "UNAVAILABLE" if 5 * SECOND <= now < 6 * SECOND else now + 10 * MS

    tally = run(Closed(2), limits(), away_for_a_second)
    # Ten tries in the second for each of the two, and not a million.
    assert tally.failed["UNAVAILABLE"].count == pytest.approx(20, abs=2)
    assert tally.latency.count == pytest.approx(2 * 900, abs=25)


def test_answers_that_come_after_the_stop_are_measured_as_long_as_they_are_waited_for() -> None:
    trial = Trial(Closed(2), limits(), 0)
    first, _ = trial.begin(0)[0], trial.begin(0)
    trial.stop(5 * MS)
    assert trial.next_due(5 * MS) is None
    trial.landed(first, 9 * MS)
    assert not trial.finished(10 * MS)
    trial.abandon()
    assert trial.finished(10 * MS)
    assert (trial.tally.latency.most, trial.tally.unfinished, trial.tally.window) == (9 * MS, 1, 5 * MS)


@given(
    st.one_of(
        st.builds(Closed, st.integers(1, 8)),
        st.builds(Open, st.floats(1, 200), poisson=st.booleans(), seed=st.integers(0, 9)),
    ),
    st.lists(st.one_of(st.integers(0, 900), st.just("UNAVAILABLE")), min_size=1, max_size=20),
    st.integers(1, 10),
    st.sampled_from([0.0, 0.2]),
    st.sampled_from([None, 7, 50]),
)
@settings(deadline=None, max_examples=30)
def test_each_request_is_counted_once_and_its_time_is_the_sum_of_its_parts(
    load: Load, answers: list[int | str], in_flight: int, warmup: float, requests: int | None
) -> None:
    taken = itertools.cycle(answers)

    def server(now: int) -> int | str:
        answer = next(taken)
        return answer if isinstance(answer, str) else now + answer * MS + 1

    begun: list[int] = []
    within = limits(warmup=warmup, duration=0.5, requests=requests, timeout=0.4, in_flight=in_flight)
    tally = run(load, within, server, sending=lambda now: MS, begun=begun)
    not_sent = tally.failed[NOT_SENT].count if NOT_SENT in tally.failed else 0
    assert tally.due == tally.latency.count + tally.failures
    assert tally.late.count == tally.due - not_sent
    assert tally.due <= len(begun) + not_sent
    assert requests is None or tally.due <= requests
    assert tally.latency.total >= tally.sending + tally.waiting
    assert tally.most_in_flight <= (load.concurrency if isinstance(load, Closed) else in_flight)
    assert tally.answered <= tally.landed <= len(begun)
    if isinstance(load, Open) and requests is None and not warmup:
        arrivals = load.arrivals()
        expected = 0
        while next(arrivals) < SECOND // 2:
            expected += 1
        assert tally.due == expected
