import pytest

from hubserve._images.encode import EncodedImage
from hubserve._schedule.batching import Capacity, Cutter, Limits, cut


def images(*sizes: int) -> list[EncodedImage]:
    return [EncodedImage(index, str(index), bytes(size)) for index, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([], []),
        ([1], [[1]]),
        ([1, 1, 1], [[1, 1, 1]]),
        ([1, 1, 1, 1], [[1, 1, 1], [1]]),
        ([5, 5, 1], [[5, 5], [1]]),
        ([5, 6], [[5], [6]]),
        ([1, 99, 1], [[1], [99], [1]]),
        ([99, 99], [[99], [99]]),
        ([0, 0, 0, 0], [[0, 0, 0], [0]]),
    ],
)
def test_batches_are_cut_by_count_and_by_bytes(sizes: list[int], batches: list[list[int]]):
    made = cut(images(*sizes), Limits(max_size=3, max_bytes=10))

    assert [[len(image.data) for image in batch] for batch in made] == batches
    assert [image for batch in made for image in batch] == images(*sizes)


def test_a_full_batch_does_not_wait_for_the_next_image():
    cutter = Cutter(Capacity(Limits(max_size=3, max_bytes=10)))

    assert [len(cutter.add(image)) for image in images(1, 1, 1, 10, 5, 6, 1)] == [0, 0, 3, 1, 0, 1, 0]
    assert len(cutter) == 2


def test_limits_that_are_lowered_hold_at_once():
    capacity = Capacity(Limits(max_size=3, max_bytes=10))
    cutter = Cutter(capacity)
    first, second = images(1, 1)
    cutter.add(first)

    capacity.lower(Limits(max_size=1, max_bytes=20))

    assert [len(cutter.add(second)), len(cutter.rest())] == [1, 1]
    assert capacity.limits == Limits(max_size=1, max_bytes=10)
