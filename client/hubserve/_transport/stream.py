"""Send images and yield results, for threads: move requests and answers between a `Run` and the server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from .._errors import CallError, ClientClosed, UsageError
from .._images.encode import Encode, ImageLike
from .._images.prefetch import READERS, Ahead, Source
from .._results import ImageResult
from .._schedule.pieces import Request
from .._schedule.run import Run
from .forks import leave_behind
from .server import Call

_Result = TypeVar("_Result", bound=ImageResult)


class Mover(Generic[_Result]):
    """Move a run's requests and answers: `move()` does all that is possible now, `wait()` waits for the next event.

    Args:
        run: The state of the call.
        send: Starts the call for a request.
        sleep: Waits this number of seconds, or until the client is closed, when nothing is in flight. None: `wait`
            waits for events that other threads post.
    """

    def __init__(
        self,
        run: Run[_Result],
        send: Callable[[Request], Call],
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._run = run
        self._send = send
        self._sleep = sleep
        self._calls: dict[int, Call] = {}
        self._process = os.getpid()
        self._events: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def move(self) -> None:
        """Handle the answers that have arrived, and send what is due.

        Raises:
            ClientClosed: The client was closed.
            UnsuitableModel: The model does not have the outputs that the call needs.
            UsageError: This process was forked after the call began.
        """
        if os.getpid() != self._process:
            raise UsageError("these results belong to the process that started the call: call again after a fork")
        while True:
            try:
                event = self._events.get_nowait()
            except Empty:
                break
            event()
        while request := self._run.next_request(time.monotonic()):
            call = self._calls[request.number] = self._send(request)
            call.add_done_callback(partial(self._note, request.number, call))
        for number in self._run.take_abandoned():
            # Its own answer may have arrived together with the first one.
            if (abandoned := self._calls.pop(number, None)) is not None:
                abandoned.cancel()

    def wait(self) -> None:
        """Wait for an answer, or until a request is due."""
        at = self._run.wake_at()
        seconds = None if at is None else max(at - time.monotonic(), 0.0)
        if not self._calls and seconds is not None and self._sleep is not None:
            self._sleep(seconds)
            return
        try:
            event = self._events.get(timeout=seconds)
        except Empty:
            return
        event()

    def post(self, event: Callable[[], None]) -> None:
        """Run a function soon on the thread that moves and waits; callable from any thread."""
        self._events.put(event)

    @property
    def quiet(self) -> bool:
        """Tell whether nothing has happened since the last `move` or `wait`."""
        return self._events.empty()

    @property
    def idle(self) -> bool:
        """Tell whether nothing is in flight or posted."""
        return not self._calls and self._events.empty()

    def start_over(self, run: Run[_Result]) -> None:
        """Cancel what is in flight, and continue with another run; posted functions still run."""
        self.stop()
        self._run = run

    def stop(self) -> None:
        """Cancel what is in flight: the server need not work on it."""
        if os.getpid() != self._process:
            # The calls belong to the parent, and gRPC would cancel them when they are freed.
            leave_behind(self._calls)
            self._calls = {}
        for call in self._calls.values():
            call.cancel()
        self._calls.clear()

    def _note(self, number: int, call: Call, _: object) -> None:
        self.post(partial(self._land, number, call, time.monotonic()))

    def _land(self, number: int, call: Call, at: float) -> None:
        # The call was cancelled meanwhile, perhaps in an earlier run, which used the same numbers.
        if self._calls.get(number) is not call:
            return
        del self._calls[number]
        try:
            response = call.result()
        except ClientClosed:
            raise
        except CallError as error:
            self._run.failed(number, error, at)
        else:
            self._run.answered(number, response, at)


def stream(
    images: Iterable[ImageLike],
    run: Run[_Result],
    *,
    send: Callable[[Request], Call],
    sleep: Callable[[float], object],
    how: Callable[[], Encode],
) -> Iterator[_Result]:
    """Read images, send them as the run says, and yield one result for each.

    Args:
        images: The caller's images.
        run: The state of the call, which gives the results' order.
        send: As for `Mover`.
        sleep: As for `Mover`.
        how: Returns the function that reads an image.

    Raises:
        UnsuitableModel: `how` needs the size of the model's input, and the metadata do not give it.
        Exception: Iterating `images` raised it; it comes after the results of the images before.
    """
    source = Source(images)
    remaining = iter(source)
    mover = Mover(run, send, sleep)
    encode = how()
    readers = ThreadPoolExecutor(READERS, thread_name_prefix="hubserve-reader")
    ahead = Ahead(readers, encode)
    try:
        while True:
            mover.move()
            yield from run.take_results()
            if run.finished:
                break
            if not run.wants_images:
                mover.wait()
                continue
            # Collect the next batch, until an answer arrives or a request is due.
            watchful = run.watches_the_clock
            while run.wants_images:
                if (image := ahead.next(remaining)) is None:
                    run.end()
                else:
                    run.push(image, time.monotonic())
                if watchful or not mover.quiet:
                    break
    finally:
        mover.stop()
        readers.shutdown(wait=False, cancel_futures=True)
    if source.failure is not None:
        raise source.failure
