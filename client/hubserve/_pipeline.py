"""Keeps images moving: files are read ahead, and requests are on their way, while earlier answers are being used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from ._images import EncodedImage, ImageLike, encode, is_path

# Enough for a disk or a network file system to have the next file ready, few enough for any memory.
READERS = 4
_READ_AHEAD = 2 * READERS


_Answer_co = TypeVar("_Answer_co", covariant=True)


class Call(Protocol[_Answer_co]):
    """An answer on its way: `hubserve._rpc.PendingCall`, or any `concurrent.futures.Future`."""

    def result(self) -> _Answer_co:
        """Waits for the answer, or raises the failure."""

    def done(self) -> bool:
        """Whether `result()` would not wait."""

    def cancel(self) -> object:
        """Gives the answer up."""

    def add_done_callback(self, callback: Callable[[Any], object], /) -> object:
        """Calls back when the answer or failure is there, on any thread."""


_Batch = TypeVar("_Batch")
_Answer = TypeVar("_Answer")


class Source:
    """The caller's images, up to their end or to the exception that ended them: `raise source.failure` comes last."""

    def __init__(self, images: Iterable[ImageLike]) -> None:
        self._images = images
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[ImageLike]:
        images = iter(self._images)
        while True:
            try:
                image = next(images)
            except StopIteration:
                return
            # Whatever the caller's own code raises is the caller's: kept until the images before it are answered.
            except Exception as error:  # noqa: BLE001
                self.failure = error
                return
            yield image


def read_ahead(images: Iterable[ImageLike], readers: Executor) -> Iterator[EncodedImage]:
    """Encodes images in their order; those named by a path are read by `readers`, a few before their turn.

    All others are encoded before the next image is asked for: a generator may close a file, or fill the same array with
    the next picture, as soon as it goes on.
    """
    waiting: deque[EncodedImage | Future[EncodedImage]] = deque()
    for index, image in enumerate(images):
        waiting.append(readers.submit(encode, index, image) if is_path(image) else encode(index, image))
        if len(waiting) > _READ_AHEAD:
            yield _read(waiting.popleft())
    while waiting:
        yield _read(waiting.popleft())


def in_flight(
    batches: Iterable[_Batch], send: Callable[[_Batch], Call[_Answer]], *, limit: int, ordered: bool
) -> Iterator[tuple[_Batch, Call[_Answer]]]:
    """Sends batches, at most `limit` at a time, and gives each back with its call, to take the answer from.

    Args:
        batches: Taken one by one, as there is room for the next.
        send: Starts a call.
        limit: The most calls without an answer.
        ordered: Give them back in the order of sending, else in the order of answers, so that none waits for another.
    """
    flying: dict[int, tuple[_Batch, Call[_Answer]]] = {}
    landed: SimpleQueue[int] = SimpleQueue()

    def one_waits() -> bool:
        return next(iter(flying.values()))[1].done() if ordered else not landed.empty()

    def take() -> tuple[_Batch, Call[_Answer]]:
        return flying.pop(next(iter(flying)) if ordered else landed.get())

    try:
        for number, batch in enumerate(batches):
            call = send(batch)
            flying[number] = batch, call
            if not ordered:
                call.add_done_callback(partial(_announce, landed, number))
            while flying and (len(flying) >= limit or one_waits()):
                yield take()
        while flying:
            yield take()
    finally:
        # The caller stopped early, or was interrupted: the server need not work on these.
        for _, call in flying.values():
            call.cancel()


def _announce(landed: SimpleQueue[int], number: int, _: object) -> None:
    landed.put(number)


def _read(image: EncodedImage | Future[EncodedImage]) -> EncodedImage:
    return image.result() if isinstance(image, Future) else image
