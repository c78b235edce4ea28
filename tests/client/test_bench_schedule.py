"""The loads of `hubserve bench`: when requests of an open loop are due, and the order of the points."""

import itertools
import statistics

import pytest

from hubserve_bench.arrivals import Closed, Open, Point, sweep


def due(load: Open, count: int) -> list[int]:
    return list(itertools.islice(load.arrivals(), count))


def test_uniform_arrivals_are_equally_far_apart_and_do_not_drift() -> None:
    arrivals = due(Open(3.0, poisson=False, seed=0), 3_000_001)
    assert arrivals[:4] == [0, 333_333_333, 666_666_667, 1_000_000_000]
    assert arrivals[3_000_000] == 1_000_000 * 1_000_000_000


def test_poisson_arrivals_have_the_rate_and_an_exponential_distribution_between_them() -> None:
    arrivals = due(Open(50.0, poisson=True, seed=1), 20_000)
    gaps = [later - earlier for earlier, later in itertools.pairwise([0, *arrivals])]
    assert min(gaps) >= 0
    # Of an exponential distribution the deviation is the mean: 20 ms here.
    assert statistics.fmean(gaps) == pytest.approx(20e6, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(20e6, rel=0.05)


def test_the_seed_decides() -> None:
    assert due(Open(50.0, poisson=True, seed=1), 100) == due(Open(50.0, poisson=True, seed=1), 100)
    assert due(Open(50.0, poisson=True, seed=1), 100) != due(Open(50.0, poisson=True, seed=2), 100)


def test_every_load_is_measured_with_every_batch_size() -> None:
    assert sweep([1, 8], [Closed(1), Closed(4)]) == [
        Point(1, Closed(1)),
        Point(1, Closed(4)),
        Point(8, Closed(1)),
        Point(8, Closed(4)),
    ]
