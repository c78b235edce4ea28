"""Images in, results out, for threads: moves a `Run`'s requests and answers, and does the waiting."""

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
    """Moves a run's requests and answers: `move()` does what can be done at once, `wait()` waits for the next event.

    Args:
        run: The course of the call.
        send: Starts the call for a request.
        sleep: Waits so many seconds, or until the client is closed, when nothing is on its way. None: for what is
            posted from other threads.
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
        """Take the answers that are there, and send what is due.

        Raises:
            ClientClosed: Nothing can be sent any more.
            UnsuitableModel: The model is not for this call.
            UsageError: This process was forked after the call began.
        """
        if os.getpid() != self._process:
            raise UsageError("these results are of the process that began the call: call the client again after a fork")
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
            # Its answer may have come together with the one that counts.
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
        """Have the thread that moves and waits call this, soon; from any thread."""
        self._events.put(event)

    @property
    def quiet(self) -> bool:
        """Whether nothing has happened since the last `move` or `wait`."""
        return self._events.empty()

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way or posted."""
        return not self._calls and self._events.empty()

    def start_over(self, run: Run[_Result]) -> None:
        """Give up what is on its way, and go on with another run; what was posted is still called."""
        self.stop()
        self._run = run

    def stop(self) -> None:
        """Give up what is on its way: the server need not work on it."""
        if os.getpid() != self._process:
            # They are the parent's, and gRPC would cancel them when nobody holds them any more.
            leave_behind(self._calls)
            self._calls = {}
        for call in self._calls.values():
            call.cancel()
        self._calls.clear()

    def _note(self, number: int, call: Call, _: object) -> None:
        self.post(partial(self._land, number, call, time.monotonic()))

    def _land(self, number: int, call: Call, at: float) -> None:
        # Given up in the meantime, and perhaps of a run before this one, which had the same numbers.
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
    """Read images, send them as the run has it, and yield one result for each.

    Args:
        images: The caller's.
        run: The course of the call, which gives the results' order.
        send: As for `Mover`.
        sleep: As for `Mover`.
        how: Tells how an image is read.

    Raises:
        UnsuitableModel: `how` could not tell.
        Exception: What iterating `images` raised, after the results of those before.
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
            # On to the next batch, unless an answer comes or a request falls due.
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
