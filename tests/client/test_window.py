"""The "auto" window against servers that exist only in arithmetic."""

import random
from collections.abc import Callable

import pytest

from client.simulation import Simulation, failure
from hubserve import CallError
from hubserve._schedule.batching import Limits
from hubserve._schedule.window import Fixed, Memory, Vegas, Window


class Serving:
    """`workers` requests at once, each taking about a tenth of a second, and a network that takes `delay`."""

    def __init__(self, workers: int, delay: float = 0.0) -> None:
        self._free_at = [0.0] * workers
        self._delay = delay
        self._random = random.Random(workers)  # noqa: S311 - the same in every run
        self.ends: list[float] = []

    def __call__(self, batch: object, now: float) -> tuple[float, CallError | None]:
        worker = min(range(len(self._free_at)), key=self._free_at.__getitem__)
        end = max(now, self._free_at[worker]) + self._random.uniform(0.08, 0.12)
        self._free_at[worker] = end
        self.ends.append(end)
        return end - now + self._delay, None


def seconds(window: Window, workers: int, delay: float) -> float:
    """The measures of the second half of a run."""
    serving = Serving(workers, delay)
    Simulation(serving, count=1000, limits=Limits(1, 10), window=window, now=0.0).run()
    return max(serving.ends) - serving.ends[500]


@pytest.mark.parametrize(("workers", "delay"), [(1, 0.0), (1, 0.2), (2, 0.02), (4, 0.0), (4, 0.2), (12, 0.0)])
def test_auto_reaches_the_best_fixed_windows_throughput_without_making_answers_wait(workers: int, delay: float):
    best = min(seconds(Fixed(limit), workers, delay) for limit in (1, 2, 4, 8, 16, 32))
    window = Vegas()

    assert best / seconds(window, workers, delay) > 0.95
    # The images that are being classified or in flight, and a few that wait.
    assert window.limit <= workers * (1 + delay / 0.1) + 4


def test_a_server_without_room_halves_the_window():
    window = Vegas()
    for _ in range(100):
        window.answered(0.1, window.limit)
    before = window.limit

    window.overloaded()

    assert before == 32
    assert window.limit == 16


def test_the_window_never_closes():
    window = Vegas()
    for _ in range(10):
        window.overloaded()

    assert window.limit == 1


def test_answers_say_nothing_of_a_window_that_was_not_full():
    window = Vegas()
    for _ in range(100):
        window.answered(0.1, window.limit + 1)

    assert window.limit == 1


def test_a_server_that_becomes_slower_for_good_is_measured_anew():
    window = Vegas()
    seconds(window, 4, 0.0)

    # What was the best time once would make every answer look late now, and the window close.
    assert seconds(window, 4, 0.4) < 1.05 * seconds(Fixed(32), 4, 0.4)


class Refusing(Serving):
    """Take a number of requests, including those in work, and refuse the others at once."""

    def __init__(self, workers: int, room: int, delay: float = 0.0) -> None:
        super().__init__(workers, delay)
        self._room = room
        self._gone: list[float] = []
        self.refused = 0

    def __call__(self, batch: object, now: float) -> tuple[float, CallError | None]:
        self._gone = [end for end in self._gone if end > now]
        if len(self._gone) >= self._room:
            self.refused += 1
            return 0.001 + self._delay, failure("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted")
        answer = super().__call__(batch, now)
        self._gone.append(self.ends[-1])
        return answer


def course(window: Window, workers: int, room: int, delay: float) -> tuple[float, int, int]:
    """In the second half of a run: seconds of an answer, refused requests, images without an answer."""
    serving = Refusing(workers, room, delay)
    drawn = random.Random(1).random  # noqa: S311 - the same in every run
    results = Simulation(serving, count=800, limits=Limits(1, 10), window=window, now=0.0, draw=drawn).run()
    half = len(serving.ends) // 2
    per_answer = (max(serving.ends) - serving.ends[half]) / (len(serving.ends) - half)
    return per_answer, serving.refused, sum(not result.ok for result in results)


@pytest.mark.parametrize(
    ("workers", "room", "delay"),
    [(1, 1, 0.0), (2, 3, 0.0), (4, 4, 0.0), (4, 6, 0.0), (8, 8, 0.05), (12, 16, 0.02)],
)
def test_auto_fills_a_server_that_refuses_and_is_refused_seldom(workers: int, room: int, delay: float):
    fixed = [course(Fixed(limit), workers, room, delay) for limit in (1, 2, 3, 4, 8, 16)]
    # Of those that lose nothing; larger ones have the server busy with the images that are left.
    best = min(seconds for seconds, _, lost in fixed if not lost)

    seconds, refused, lost = course(Vegas(), workers, room, delay)

    assert lost == 0
    # Of 800: one in twenty.
    assert refused <= 40
    assert best / seconds > 0.95


def test_after_a_refusal_the_window_goes_back_to_what_was_taken_and_stays_below_what_was_not():
    window = Vegas()

    def answered_rounds(count: int) -> list[int]:
        limits = []
        for _ in range(count):
            for _ in range(max(window.limit, 3)):
                window.answered(0.1, window.limit)
            limits.append(window.limit)
        return limits

    assert answered_rounds(3) == [2, 4, 8]
    window.overloaded()

    assert window.limit == 4
    assert answered_rounds(4) == [5, 6, 7, 7]
    window.overloaded()
    assert window.limit == 3
    assert answered_rounds(3) == [6, 6, 6]
    # Now and then a little more is tried: the server may have got company.
    assert max(answered_rounds(60)) == 7


def test_a_call_begins_where_the_one_before_it_was():
    memory = Memory()
    first = Vegas(memory=memory)
    seconds(first, 4, 0.0)
    found = first.limit
    after = Vegas(memory=memory)

    assert 4 <= found <= 8
    # The best time is measured with half of it: the images may be others.
    assert after.limit == found // 2
    for _ in range(found):
        after.answered(0.5, after.limit)
    assert after.limit == found


def test_a_call_that_ends_before_it_finds_out_anything_changes_nothing():
    memory = Memory()
    first = Vegas(memory=memory)
    seconds(first, 4, 0.0)
    for _ in range(5):
        Vegas(memory=memory).answered(9.0, 1)

    assert Vegas(memory=memory).limit == first.limit // 2


def test_a_call_stays_below_what_was_refused_in_the_one_before():
    memory = Memory()
    first = Vegas(memory=memory)
    for _ in range(12):
        first.answered(0.1, first.limit)
    first.overloaded()
    after = Vegas(memory=memory)
    for _ in range(40):
        after.answered(0.1, after.limit)

    assert first.limit == 4
    assert after.limit == 7


@pytest.mark.parametrize(("workers", "delay"), [(4, 0.0), (4, 0.1), (12, 0.0)])
def test_short_calls_one_after_the_other_fill_the_servers(workers: int, delay: float):
    def course_of(window: Callable[[], Window]) -> float:
        serving = Serving(workers, delay)
        now = 0.0
        for _ in range(40):
            call = Simulation(serving, count=32, limits=Limits(1, 10), window=window(), now=now)
            call.run()
            now = call.now
        return now

    memory = Memory()
    remembered = course_of(lambda: Vegas(memory=memory))

    best = min(course_of(lambda limit=limit: Fixed(limit)) for limit in (4, 8, 16, 32))
    assert best / remembered > 0.7
    assert course_of(Vegas) / remembered > 1.2
