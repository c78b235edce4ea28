"""The "auto" window against servers that exist only in arithmetic."""

import random

import pytest

from client.simulation import Simulation
from hubserve import CallError
from hubserve._batches import Limits
from hubserve._window import Fixed, Vegas, Window


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
    """What the second half of a run takes."""
    serving = Serving(workers, delay)
    Simulation(serving, count=1000, limits=Limits(1, 10), window=window, now=0.0).run()
    return max(serving.ends) - serving.ends[500]


@pytest.mark.parametrize(("workers", "delay"), [(1, 0.0), (1, 0.2), (2, 0.02), (4, 0.0), (4, 0.2), (12, 0.0)])
def test_auto_reaches_the_best_fixed_windows_throughput_without_making_answers_wait(workers: int, delay: float):
    best = min(seconds(Fixed(limit), workers, delay) for limit in (1, 2, 4, 8, 16, 32))
    window = Vegas()

    assert best / seconds(window, workers, delay) > 0.95
    # As many as are worked on or under way, and a few that wait.
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
