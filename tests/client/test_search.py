"""The search for bad images, on a simulated clock: images that are refused, and images that take all of the time."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.simulation import Simulation, failure
from hubserve import CallError, ImageTooSlow, InvalidRequest, Retry
from hubserve._images.encode import EncodedImage
from hubserve._schedule.batching import Limits
from hubserve._schedule.window import Fixed

SLOW = failure("DEADLINE_EXCEEDED", "Deadline Exceeded")


@settings(deadline=None, max_examples=40)
@given(
    bad=st.sets(st.integers(0, 31), max_size=32),
    size=st.integers(1, 32),
    poisoned_by_strangers=st.sets(st.integers(0, 40), max_size=3),
)
def test_bad_images_are_found_one_by_one_and_their_neighbours_answered(
    bad: set[int], size: int, poisoned_by_strangers: set[int]
):
    requests = 0
    poisoned: set[int] = set()

    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        nonlocal requests, poisoned
        requests += 1
        asked = {image.index for image in batch}
        refused = bool(bad & asked)
        # A stranger's image in the same batch of the server, but never twice with the same of ours.
        if requests in poisoned_by_strangers and not poisoned & asked:
            poisoned |= asked
            refused = True
        return 1.0, failure("INVALID_ARGUMENT", "cannot decode") if refused else None

    results = Simulation(server, count=32, limits=Limits(size, 2**20)).run()

    assert {result.index for result in results if not result.ok} <= bad
    assert {result.index for result in results if result.ok} == set(range(32)) - bad
    # 2 N - 1 for halving, N for retries.
    assert requests <= 3 * 32 + 3 * 2 * 6


def test_suspected_images_are_never_on_their_way_with_others():
    # The server could put them into one batch, and fail the good ones with the bad.
    out: list[tuple[float, int]] = []

    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        out.append((now, len(batch)))
        return 1.0, failure("INVALID_ARGUMENT", "x") if any(image.index == 5 for image in batch) else None

    results = Simulation(server, count=40).run()

    assert [result.index for result in results if not result.ok] == [5]
    assert isinstance(results[5].exception, InvalidRequest)
    suspected = [sent for sent, size in out if size < 8]
    assert len(suspected) == 7
    assert all(sum(abs(sent - other) < 1 for other, _ in out) == 1 for sent in suspected)


def test_a_refusal_that_no_image_is_to_blame_for_ends_the_search():
    simulation = Simulation(lambda *_: (0.1, failure("INVALID_ARGUMENT", "always")), count=2_000)

    results = simulation.run()

    assert not any(result.ok for result in results)
    # Each batch, and three of its images.
    assert len(simulation.sizes) < (1 + 3) * 2_000 / 8 + 3 * 64


@settings(deadline=None, max_examples=40)
@given(
    first_bad=st.integers(60, 100),
    bad=st.lists(st.frozensets(st.integers(0, 7), max_size=2), min_size=1, max_size=12),
)
def test_however_many_bad_images_come_first_the_good_ones_among_the_next_are_answered(
    first_bad: int, bad: list[frozenset[int]]
):
    first_bad -= first_bad % 8
    refused = set(range(first_bad))
    for batch, places in enumerate(bad):
        refused |= {first_bad + 8 * batch + place for place in places}

    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        found = refused & {image.index for image in batch}
        return 1.0, failure("INVALID_ARGUMENT", "cannot decode") if found else None

    count = first_bad + 8 * len(bad)
    results = Simulation(server, count=count).run()

    assert {result.index for result in results if result.ok} == set(range(count)) - refused


def test_a_model_that_has_answered_is_searched_however_many_images_are_bad():
    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        bad = any(image.index >= 8 and image.index % 8 != 1 for image in batch)
        return 1.0, failure("INVALID_ARGUMENT", "cannot decode") if bad else None

    results = Simulation(server, count=800).run()

    assert {result.index for result in results if result.ok} == {*range(8), *range(9, 800, 8)}


def test_a_request_that_is_wrong_in_itself_is_not_searched():
    words = "Signature input alias: image_bytes(feed name: x:0) not found in request"
    simulation = Simulation(lambda *_: (0.1, failure("INVALID_ARGUMENT", words)), count=80)

    simulation.run()

    assert simulation.sizes == [8] * 10


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("count", "poison"), [(100, {5}), (100, {0, 1, 50}), (8, {7}), (500, {3, 250, 499}), (20, set(range(8)))]
)
def test_an_image_that_takes_all_the_time_is_named_and_its_neighbours_are_answered(
    count: int, poison: set[int], ordered: bool
):
    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        return (30.0, SLOW) if poison & {image.index for image in batch} else (1.0, None)

    simulation = Simulation(server, count=count, ordered=ordered)
    results = {result.index: result for result in simulation.run()}

    assert {index for index, result in results.items() if not result.ok} == poison
    for index in poison:
        assert isinstance(results[index].exception, ImageTooSlow)
        assert f"image {index}: the server answers other images" in str(results[index].error)
    assert all(results[index].label == str(index) for index in results if index not in poison)
    # Two timeouts of the batch, one for each halving, two of the image alone.
    assert simulation.now - 1000 < 30 * 8 * (len(poison) + 1) + count


def test_an_image_that_blocks_the_whole_server_costs_no_other_image_its_answer():
    busy_until = 0.0

    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        nonlocal busy_until
        if busy_until > now + 30:
            return 30.0, SLOW
        began = max(now, busy_until)
        if any(image.index == 37 for image in batch):
            busy_until = began + 100
            return 30.0, SLOW
        return began + 1 - now, None

    results = Simulation(server, retry=Retry(max_seconds=300)).run()

    assert [result.index for result in results if not result.ok] == [37]
    assert isinstance(results[37].exception, ImageTooSlow)


def test_a_server_that_hangs_is_not_searched_for_a_bad_image():
    requests = 0

    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        nonlocal requests
        requests += 1
        return (1.0, None) if requests <= 2 else (30.0, SLOW)

    simulation = Simulation(server, count=40, window=Fixed(1))
    results = simulation.run()

    assert [result.ok for result in results] == [True] * 16 + [False] * 24
    assert not any(isinstance(result.exception, ImageTooSlow) for result in results)
    assert requests < 20


def test_a_batch_that_is_too_slow_as_a_whole_is_answered_in_halves():
    results = Simulation(lambda batch, _: (30.0, SLOW) if len(batch) > 4 else (20.0, None), count=16).run()

    assert all(result.ok for result in results)
