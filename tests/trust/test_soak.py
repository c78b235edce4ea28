"""The rule by which `make soak` detects growth; the load itself is not in this suite."""

import pytest

from trust.soak import Sample, grown

MIB = 2**20
FLAT = [Sample(400 * MIB + number % 3 * MIB, 30 + number % 4, 40) for number in range(40)]


def test_what_goes_up_and_down_is_flat() -> None:
    assert grown(FLAT) == []


def test_what_grows_only_at_the_start_is_flat() -> None:
    assert grown([Sample(100 * MIB, 3, 5)] * 8 + FLAT[8:]) == []


@pytest.mark.parametrize(
    ("leak", "says"),
    [
        (lambda number: Sample(400 * MIB + number * 2 * MIB, 30, 40), "rss from "),
        (lambda number: Sample(400 * MIB, 30 + number, 40), "descriptors from "),
        (lambda number: Sample(400 * MIB, 30, 40 + number), "threads from "),
    ],
)
def test_what_grows_all_the_time_is_named(leak, says: str) -> None:
    (found,) = grown([leak(number) for number in range(40)])
    assert found.startswith(says)
