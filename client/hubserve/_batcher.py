"""Send single images of many threads in shared requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoResultYet
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._checks import check_seconds
from ._errors import DeadlineExceeded, UsageError
from ._images.encode import Encode, EncodedImage, ImageLike
from ._results import ImageResult
from ._schedule.pieces import Request
from ._schedule.run import Run
from ._transport.forks import watch
from ._transport.server import Call
from ._transport.stream import Mover
from ._transport.telemetry import caller

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_Result = TypeVar("_Result", bound=ImageResult)


class Batcher(Generic[_Result]):
    """Send one image at a time, in requests that many threads share.

        with client.classify_batcher(max_delay=0.005) as batcher:
            result = batcher.ask(photograph)    # from any number of threads

    Made by `Client.classify_batcher` and `Client.features_batcher`.

    Args:
        new_run: Makes a run, which forms the requests.
        send: Starts the call for a request.
        how: Returns the function that reads or encodes an image.
    """

    def __init__(
        self, new_run: Callable[[], Run[_Result]], send: Callable[[Request], Call], how: Callable[[], Encode]
    ) -> None:
        self._new_run = new_run
        self._send = send
        self._how = how
        self._closing = False
        self._begin_anew()
        watch(self._forked)

    def ask(self, image: ImageLike, *, timeout: float | None = None) -> _Result:
        """Send one image, and wait for its result.

        Args:
            image: A path, bytes, a binary file, a Pillow image or a uint8 array; read and encoded on this thread.
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
        encoded = replace(self._how()(0, image), caller=caller())
        future: Future[_Result] = Future()
        with self._lock:
            if self._closing:
                raise UsageError("the batcher is closed: keep it open until the last image is answered")
            if self._thread is None:
                self._start()
            self._mover.post(partial(self._take, encoded, future))
        if timeout is None or end is None:
            return future.result()
        try:
            return future.result(max(end - time.monotonic(), 0.0))
        except NoResultYet:
            # What comes later has no reader.
            return self._run.failure(encoded, DeadlineExceeded.of_caller(encoded.source, timeout))

    def close(self) -> None:
        """Wait until all images are answered, and take no more. Closing twice does no harm."""
        with self._lock:
            self._closing = True
            if self._thread is None:
                return
            # Wake the thread, so that it sees `_closing`.
            self._mover.post(lambda: None)
        self._thread.join()

    def _forked(self) -> None:
        self._mover.stop()
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Start without a thread: the first image starts one, also in a child of a fork."""
        self._lock = threading.Lock()
        # Only the batcher's thread uses these and the run. Other threads post to the mover.
        self._count = 0
        self._waiting: dict[int, Future[_Result]] = {}
        self._run = self._new_run()
        self._mover = Mover(self._run, self._send)
        self._thread: threading.Thread | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        raise UsageError("a batcher cannot be sent to another process: send its client, and make a batcher there")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="hubserve-batcher", daemon=True)
        thread.start()
        self._thread = thread

    def _work(self) -> None:
        while True:
            try:
                self._mover.move()
                for result in self._run.take_results():
                    # A caller sent one image, so its index is 0, whatever its number in the run.
                    self._waiting.pop(result.index).set_result(replace(result, index=0))
                if self._closing and not self._waiting and self._mover.idle:
                    return
                self._mover.wait()
            # After a defect, too, waiting callers get the error, and the thread goes on for later callers.
            except Exception as error:  # noqa: BLE001
                self._fail(error)

    def _take(self, image: EncodedImage, future: Future[_Result]) -> None:
        self._count += 1
        self._waiting[self._count] = future
        self._run.push(replace(image, index=self._count), time.monotonic())

    def _fail(self, error: Exception) -> None:
        """Give every waiting caller the error, and start a new run."""
        waiting, self._waiting = self._waiting, {}
        self._run = self._new_run()
        self._mover.start_over(self._run)
        for future in waiting.values():
            future.set_exception(error)
