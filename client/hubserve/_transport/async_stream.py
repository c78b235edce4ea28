"""Send images and yield results, for asyncio: move requests and answers between a `Run` and the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
)
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from .._errors import CallError, ClientClosed
from .._images.encode import Encode, EncodedImage, ImageLike, is_path
from .._images.prefetch import READERS, Ahead, Source
from .._results import ImageResult
from .._schedule.pieces import Request
from .._schedule.run import Run

_Result = TypeVar("_Result", bound=ImageResult)


class AsyncMover(Generic[_Result]):
    """Move a run's requests and answers, as `Mover` does for threads.

    Args:
        run: The state of the call.
        send: Makes the call for a request.
        sleep: Waits this number of seconds, or until the client is closed.
    """

    def __init__(
        self,
        run: Run[_Result],
        send: Callable[[Request], Coroutine[Any, Any, bytes]],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._run = run
        self._send = send
        self._sleep = sleep
        self._calls: dict[int, asyncio.Task[tuple[bytes | CallError, float]]] = {}

    def move(self) -> None:
        """Handle the answers that have arrived, and send what is due.

        Raises:
            ClientClosed: The client was closed.
            UnsuitableModel: The model does not have the outputs that the call needs.
        """
        for number in [number for number, call in self._calls.items() if call.done()]:
            answer, at = self._calls.pop(number).result()
            if isinstance(answer, ClientClosed):
                raise answer
            if isinstance(answer, CallError):
                self._run.failed(number, answer, at)
            else:
                self._run.answered(number, answer, at)
        while request := self._run.next_request(time.monotonic()):
            self._calls[request.number] = asyncio.ensure_future(self._timed(request))
        for number in self._run.take_abandoned():
            # Its own answer may have arrived together with the first one.
            if (abandoned := self._calls.pop(number, None)) is not None:
                abandoned.cancel()

    async def wait(self, *others: asyncio.Future[Any]) -> None:
        """Wait for an answer, until a request is due, or for one of the others."""
        at = self._run.wake_at()
        seconds = None if at is None else max(at - time.monotonic(), 0.0)
        waited_for = {*self._calls.values(), *others}
        if waited_for:
            await asyncio.wait(waited_for, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        elif seconds is not None:
            await self._sleep(seconds)

    async def stop(self) -> None:
        """Cancel what is in flight: the server need not work on it."""
        for call in self._calls.values():
            call.cancel()
        await asyncio.gather(*self._calls.values(), return_exceptions=True)
        self._calls.clear()

    async def _timed(self, request: Request) -> tuple[bytes | CallError, float]:
        try:
            return await self._send(request), time.monotonic()
        except CallError as error:
            return error, time.monotonic()


async def stream(
    images: Iterable[ImageLike] | AsyncIterable[ImageLike],
    run: Run[_Result],
    *,
    send: Callable[[Request], Coroutine[Any, Any, bytes]],
    sleep: Callable[[float], Awaitable[None]],
    how: Callable[[], Awaitable[Encode]],
) -> AsyncGenerator[_Result, None]:
    """Read images, send them as the run says, and yield one result for each; see the `stream` for threads."""
    source = Source(images)
    remaining = aiter(source)
    mover = AsyncMover(run, send, sleep)
    encode = await how()
    readers = ThreadPoolExecutor(READERS, thread_name_prefix="hubserve-reader")
    ahead = Ahead(readers, encode)
    # Images are fetched while answers arrive, so that a slow source of images does not delay results.
    fetching: asyncio.Task[bool] | None = None
    head: EncodedImage | asyncio.Future[EncodedImage] | None = None
    more = True
    try:
        while True:
            mover.move()
            for result in run.take_results():
                yield result
            if run.finished:
                break
            if fetching is not None and fetching.done():
                more, fetching = fetching.result(), None
            if fetching is None and more and not ahead.full and run.wants_images:
                fetching = asyncio.ensure_future(_fetch(remaining, ahead, many=isinstance(images, Iterable)))
            if head is None and len(ahead):
                taken = ahead.take()
                head = taken if isinstance(taken, EncodedImage) else asyncio.wrap_future(taken)
            if isinstance(head, asyncio.Future) and head.done():
                head = head.result()
            if isinstance(head, EncodedImage) and run.wants_images:
                run.push(head, time.monotonic())
                head = None
            elif not (more or head or fetching or run.ended):
                run.end()
            else:
                await mover.wait(*[other for other in (fetching, head) if isinstance(other, asyncio.Future)])
    finally:
        if fetching is not None:
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)
        await mover.stop()
        readers.shutdown(wait=False, cancel_futures=True)
    if source.failure is not None:
        raise source.failure


async def _fetch(images: AsyncIterator[ImageLike], ahead: Ahead, *, many: bool) -> bool:
    """Fetch the next image, or as many as may be read ahead, and start reading them; return False at the end."""
    while True:
        try:
            image = await anext(images)
        except StopAsyncIteration:
            return False
        if is_path(image) or isinstance(image, bytes):
            ahead.start(image)
        else:
            # It must be encoded before the next image is fetched (see `Ahead`); on another thread, because that is
            # slow.
            await asyncio.wrap_future(ahead.start_off_thread(image))
        if ahead.full or not many:
            return True
