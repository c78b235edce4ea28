from collections.abc import Iterator

import pytest

from hubserve import ImageError
from hubserve._batches import cut
from hubserve._images import EncodedImage


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
    made = list(cut(images(*sizes), max_size=3, max_bytes=10))

    assert [[len(image.data) for image in batch] for batch in made] == batches
    assert [image for batch in made for image in batch] == images(*sizes)


def test_no_more_images_are_taken_than_the_batch_needs():
    taken = []

    def stream() -> Iterator[EncodedImage]:
        for image in images(*[1] * 100):
            taken.append(image)
            yield image

    next(cut(stream(), max_size=3, max_bytes=10))

    assert len(taken) == 4


def test_images_that_cannot_be_sent_do_not_let_a_batch_grow_without_bound():
    unreadable = [EncodedImage(index, "x", error=ImageError("x")) for index in range(7)]

    assert [len(batch) for batch in cut(unreadable, max_size=3, max_bytes=10)] == [3, 3, 1]
