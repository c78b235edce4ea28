"""Many processes before four servers, in the simulation of the benchmark: its clock exists only in arithmetic."""

import pytest

import processes
from hubserve._schedule.window import Fixed, Vegas


@pytest.fixture(scope="module")
def best() -> float:
    """Return the answers a second that one process gets with the best window."""
    return max(processes.World(1, 4, 10, lambda size=size: Fixed(size)).run()[0] for size in processes.WINDOWS)


@pytest.mark.parametrize("count", [8, 32])
def test_processes_that_know_nothing_of_each_other_fill_the_servers_and_are_seldom_refused(
    count: int, best: float
) -> None:
    rate, refused = processes.World(count, 4, 10, Vegas).run()

    assert rate >= 0.9 * best
    assert refused < 0.01


def test_a_process_that_is_left_alone_takes_what_the_others_had(best: float) -> None:
    rate, _ = processes.World(32, 4, 10, Vegas, leave_at=40.0).run(since=55.0)

    assert rate >= 0.9 * best
