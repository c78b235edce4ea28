"""The histogram of `hubserve bench`: it forgets no value, and knows the error of its percentiles."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubserve_cli.common.histogram import RELATIVE_ERROR, Histogram

# From a nanosecond to weeks, with many of the small ones where buckets are exact.
values = st.lists(st.one_of(st.integers(0, 300), st.integers(0, 10**15)), min_size=1, max_size=200)
percents = st.sampled_from([0, 1, 25, 50, 90, 99, 99.9, 99.99, 100]) | st.floats(0, 100)


def recorded(samples: list[int]) -> Histogram:
    histogram = Histogram()
    for sample in samples:
        histogram.record(sample)
    return histogram


@given(values, percents)
def test_a_percentile_is_that_of_the_sorted_samples_within_the_stated_error(samples: list[int], percent: float) -> None:
    rank = max(math.ceil(Fraction(str(percent)) * len(samples) / 100), 1)
    exact = sorted(samples)[rank - 1]
    assert abs(recorded(samples).percentile(percent) - exact) <= exact * RELATIVE_ERROR


@given(values)
def test_count_sum_smallest_and_largest_are_exact(samples: list[int]) -> None:
    histogram = recorded(samples)
    assert (histogram.count, histogram.total) == (len(samples), sum(samples))
    assert (histogram.least, histogram.most) == (min(samples), max(samples))
    assert histogram.percentile(100) == max(samples)
    assert histogram.mean == sum(samples) / len(samples)


@given(values)
def test_buckets_hold_every_sample_once_and_do_not_overlap(samples: list[int]) -> None:
    buckets = list(recorded(samples).buckets())
    for low, high, count in buckets:
        assert sum(low <= sample <= high for sample in samples) == count
        assert high - low <= low * 2 * RELATIVE_ERROR
    assert sum(count for _, _, count in buckets) == len(samples)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(buckets))


@given(values, values, percents)
def test_two_histograms_added_are_that_of_all_samples(one: list[int], other: list[int], percent: float) -> None:
    together = recorded(one)
    together.add(recorded(other))
    whole = recorded(one + other)
    assert list(together.buckets()) == list(whole.buckets())
    assert (together.total, together.least, together.most) == (whole.total, whole.least, whole.most)
    assert together.percentile(percent) == whole.percentile(percent)


def test_what_was_never_answered_stands_beyond_all_values() -> None:
    histogram = recorded(list(range(1, 100)))
    assert histogram.percentile(99, beyond=1) == 99
    assert histogram.percentile(99, beyond=2) is None
    assert histogram.percentile(50, beyond=99) == 99
    assert histogram.percentile(100, beyond=1) is None


def test_an_empty_one_has_no_figures() -> None:
    empty = Histogram()
    empty.add(Histogram())
    assert (empty.count, empty.least, empty.most, empty.mean, empty.percentile(50)) == (0, None, None, None, None)


@pytest.mark.parametrize("samples", [[5], [1, 2, 3]])
def test_adding_an_empty_one_changes_nothing(samples: list[int]) -> None:
    histogram = recorded(samples)
    histogram.add(Histogram())
    assert (histogram.count, histogram.least, histogram.most) == (len(samples), min(samples), max(samples))
