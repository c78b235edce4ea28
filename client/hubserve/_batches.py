"""Cuts a stream of images into batches: pure, lazy, and never an empty one."""

from collections.abc import Iterable, Iterator

from ._images import EncodedImage


def cut(images: Iterable[EncodedImage], *, max_size: int, max_bytes: int) -> Iterator[list[EncodedImage]]:
    """Cuts the stream where a batch would hold more than `max_size` images or more than `max_bytes` of them.

    An image larger than `max_bytes` goes alone. One that cannot be sent holds a place in its batch all the same: it
    keeps the order, and a run of such images cannot make a batch grow without bound.
    """
    batch: list[EncodedImage] = []
    size = 0
    for image in images:
        if batch and (len(batch) == max_size or size + len(image.data) > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(image)
        size += len(image.data)
    if batch:
        yield batch
