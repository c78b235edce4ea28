"""Read images ahead on other threads, while requests are in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from concurrent.futures import Executor, Future

from .encode import Encode, EncodedImage, ImageLike, encode, is_path

# Enough for a disk or a network file system to have the next file ready, and few enough to save memory.
READERS = 4
_READ_AHEAD = 2 * READERS


class Source:
    """The caller's images, up to their end or to an exception, which `failure` keeps."""

    def __init__(self, images: Iterable[ImageLike] | AsyncIterable[ImageLike]) -> None:
        self._images = images
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[ImageLike]:
        assert isinstance(self._images, Iterable)  # noqa: S101 - the callers checked it
        images = iter(self._images)
        while True:
            try:
                image = next(images)
            except StopIteration:
                return
            # An exception of the caller's own code is raised later, when earlier images are answered.
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
    """Encode images in their order; `readers` read those that are paths, a few before their turn.

    When images are converted or downscaled, `readers` also take bytes.

    All other images are encoded before the next one is asked for, because a generator may close a file, or fill the
    same array with the next image, when it continues.
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
        """Tell whether enough images are being read."""
        return len(self._waiting) >= _READ_AHEAD

    def next(self, images: Iterator[ImageLike]) -> EncodedImage | None:
        """Return the next image when it is read; None if there are no more.

        While the next image is not ready, more of `images` are started.
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
        """Start reading the next image on another thread if possible; else encode it now."""
        if self._how is not encode if isinstance(image, bytes) else is_path(image):
            self.start_off_thread(image)
        else:
            self._waiting.append(self._how(self._count, image))
            self._count += 1

    def start_off_thread(self, image: ImageLike) -> Future[EncodedImage]:
        """Start reading or encoding the next image on another thread."""
        try:
            future = self._readers.submit(self._how, self._count, image)
        except RuntimeError:
            # The interpreter is shutting down, and starts no more threads: read on this thread.
            future = Future()
            future.set_result(self._how(self._count, image))
        self._count += 1
        self._waiting.append(future)
        return future

    def take(self) -> EncodedImage | Future[EncodedImage]:
        """Return the next image, or the future that will be the image."""
        return self._waiting.popleft()
