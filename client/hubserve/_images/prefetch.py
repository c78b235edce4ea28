"""Reads images ahead, off the calling thread, while requests are on their way."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from concurrent.futures import Executor, Future

from .encode import Encode, EncodedImage, ImageLike, encode, is_path

# Enough for a disk or a network file system to have the next file ready, few enough for any memory.
READERS = 4
_READ_AHEAD = 2 * READERS


class Source:
    """The caller's images, up to their end or to the exception that ended them: `raise source.failure` comes last."""

    def __init__(self, images: Iterable[ImageLike] | AsyncIterable[ImageLike]) -> None:
        self._images = images
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[ImageLike]:
        assert isinstance(self._images, Iterable)  # noqa: S101 - the callers saw to it
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

    async def __aiter__(self) -> AsyncIterator[ImageLike]:
        if isinstance(self._images, Iterable):
            for image in self:
                yield image
            return
        images = aiter(self._images)
        while True:
            try:
                image = await anext(images)
            except StopAsyncIteration:
                return
            except Exception as error:  # noqa: BLE001
                self.failure = error
                return
            yield image


class Ahead:
    """Encodes images in their order; those named by a path are read by `readers`, a few before their turn.

    Bytes too, where they are not sent as they are.

    All others are encoded before the next image is asked for: a generator may close a file, or fill the same array with
    the next picture, as soon as it goes on.
    """

    def __init__(self, readers: Executor, how: Encode = encode) -> None:
        self._readers = readers
        self._how = how
        self._waiting: deque[EncodedImage | Future[EncodedImage]] = deque()
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether enough are being read."""
        return len(self._waiting) >= _READ_AHEAD

    def next(self, images: Iterator[ImageLike]) -> EncodedImage | None:
        """Give the next image, when it is read; None: there are no more.

        More of `images` are started as long as the next one is not there.
        """
        waiting = self._waiting
        while not waiting or (isinstance(waiting[0], Future) and not self.full):
            try:
                image = next(images)
            except StopIteration:
                break
            self.start(image)
        if not waiting:
            return None
        head = waiting.popleft()
        return head.result() if isinstance(head, Future) else head

    def start(self, image: ImageLike) -> None:
        """Begin to read the next image, if another thread can; encode it at once, if not."""
        if self._how is not encode if isinstance(image, bytes) else is_path(image):
            self.start_off_thread(image)
        else:
            self._waiting.append(self._how(self._count, image))
            self._count += 1

    def start_off_thread(self, image: ImageLike) -> Future[EncodedImage]:
        """Begin to read or encode the next image on another thread."""
        try:
            future = self._readers.submit(self._how, self._count, image)
        except RuntimeError:
            # The interpreter ends, and starts no threads any more: in an `atexit` function this one reads.
            future = Future()
            future.set_result(self._how(self._count, image))
        self._count += 1
        self._waiting.append(future)
        return future

    def take(self) -> EncodedImage | Future[EncodedImage]:
        """Give the image whose turn it is, or that will be it when it is read."""
        return self._waiting.popleft()
