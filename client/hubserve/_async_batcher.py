"""Send single images of many tasks in shared requests."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._checks import check_seconds
from ._errors import DeadlineExceeded, UsageError
from ._images.encode import Encode, ImageLike, encode
from ._results import ImageResult
from ._schedule.pieces import Request
from ._schedule.run import Run
from ._transport.async_stream import AsyncMover
from ._transport.forks import watch
from ._transport.telemetry import caller

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_Result = TypeVar("_Result", bound=ImageResult)


class AsyncBatcher(Generic[_Result]):
    """Send one image at a time, in requests that many tasks share.

        async with client.classify_batcher(max_delay=0.005) as batcher:
            result = await batcher.ask(photograph)    # from any number of tasks

    Made by `AsyncClient.classify_batcher` and `AsyncClient.features_batcher`. Cancelling a task affects no other task.

    Args:
        new_run: Makes a run, which forms the requests.
        send: Makes the call for a request.
        sleep: Waits this number of seconds, or until the client is closed.
        how: Returns the function that reads or encodes an image.
    """

    def __init__(
        self,
        new_run: Callable[[], Run[_Result]],
        send: Callable[[Request], Coroutine[Any, Any, bytes]],
        sleep: Callable[[float], Awaitable[None]],
        how: Callable[[], Awaitable[Encode]],
    ) -> None:
        self._new_run = new_run
        self._send = send
        self._sleep = sleep
        self._how = how
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._begin_anew()
        watch(self._begin_anew)

    async def ask(self, image: ImageLike, *, timeout: float | None = None) -> _Result:
        """Send one image, and wait for its result.

        Args:
            image: A path, bytes, a binary file, a Pillow image or a uint8 array; read and encoded on another thread.
            timeout: Seconds to wait for the result. After them the result has a `DeadlineExceeded`, and the callers
                whose images are in the same request are answered all the same. None: as long as the client tries.

        Returns:
            The image's result. If the image failed, the reason is in the result.

        Raises:
            UnsuitableModel: The model does not have the outputs that the batcher needs.
            ClientClosed: The client was closed.
            UsageError: The batcher was closed, or `timeout` is not a finite number above 0.
        """
        end = None
        if timeout is not None:
            check_seconds("timeout", timeout)
            end = time.monotonic() + timeout
        self._on_this_loop()
        how = await self._how()
        at_once = isinstance(image, bytes) and how is encode
        encoded = how(0, image) if at_once else await asyncio.to_thread(how, 0, image)
        if self._closing:
            raise UsageError("the batcher is closed: keep it open until the last image is answered")
        if self._task is None:
            # A new context: the task works for all callers, not for this one only.
            self._task = contextvars.Context().run(asyncio.ensure_future, self._work())
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        self._waiting[self._count] = future
        self._run.push(replace(encoded, index=self._count, caller=caller()), time.monotonic())
        self._news.set()
        if timeout is not None and end is not None:
            await asyncio.wait({future}, timeout=max(end - time.monotonic(), 0.0))
            if not future.done():
                # What comes later has no reader.
                future.cancel()
                return self._run.failure(encoded, DeadlineExceeded.of_caller(encoded.source, timeout))
        result: _Result = await future
        return result

    async def close(self) -> None:
        """Wait until all images are answered, and take no more. Closing twice does no harm."""
        self._on_this_loop()
        self._closing = True
        self._news.set()
        if self._task is not None:
            await self._task

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        raise UsageError("a batcher cannot be sent to another process: send its client, and make a batcher there")

    def _begin_anew(self) -> None:
        """Start without a task: on another event loop, or in a child of a fork, the old one does not run."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._count = 0
        self._waiting: dict[int, asyncio.Future[_Result]] = {}
        self._run = self._new_run()
        self._mover = AsyncMover(self._run, self._send, self._sleep)
        self._task = None
        self._news = asyncio.Event()

    def _on_this_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and self._loop.is_closed():
                self._begin_anew()
            elif self._loop is not None:
                raise UsageError("this batcher is in use on another event loop: make one on each loop")
            self._loop = loop

    async def _work(self) -> None:
        news = asyncio.ensure_future(self._news.wait())
        try:
            while self._waiting or not self._closing:
                if news.done():
                    self._news.clear()
                    news = asyncio.ensure_future(self._news.wait())
                try:
                    self._mover.move()
                    self._give()
                # After a defect, too, waiting callers get the error, and the task goes on for later callers.
                except Exception as error:  # noqa: BLE001
                    await self._fail(error)
                if self._waiting or not self._closing:
                    await self._mover.wait(news)
        finally:
            news.cancel()
            await self._mover.stop()

    def _give(self) -> None:
        for result in self._run.take_results():
            future = self._waiting.pop(result.index)
            # The caller's task may have been cancelled.
            if not future.done():
                future.set_result(replace(result, index=0))

    async def _fail(self, error: Exception) -> None:
        """Give every waiting caller the error, and start a new run."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(error)
        # Replace the run before the first await: images that come meanwhile belong to the new run.
        old, self._run = self._mover, self._new_run()
        self._mover = AsyncMover(self._run, self._send, self._sleep)
        await old.stop()
