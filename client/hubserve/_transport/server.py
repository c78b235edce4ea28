"""Call the server from threads: paths and bytes in, bytes or the library's errors out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import grpc

from .._errors import CallError
from .._images.encode import EncodedImage
from .._schedule.retry import Contact
from .._schedule.steps import Pause, Steps
from .._settings import ClientSettings, seconds_left
from ..wire.codec import PREDICT, STATUS
from .base_server import CLOSED, BaseServer
from .dispatch import Line
from .forks import leave_behind
from .security import bearer
from .thread_channels import Channels
from .unserved import LOOK_SECONDS, look, told

_T = TypeVar("_T")


class Call(Protocol):
    """A call in flight: a `LinedCall`, or a `concurrent.futures.Future`."""

    def result(self) -> bytes:
        """Wait for the answer; raise a `CallError` if the call failed."""

    def cancel(self) -> object:
        """Cancel the call."""

    def add_done_callback(self, callback: Callable[[Any], object], /) -> object:
        """Call the function when the call has ended, on any thread."""


class ModelServer(BaseServer[threading.Event]):
    """The RPCs of one model's server, or of its replicas, each over its own channel; see `BaseServer`."""

    def __init__(self, settings: ClientSettings, contact: Contact) -> None:
        super().__init__(settings, contact, threading.Event())
        self._line = Line(contact.gate)
        self._channels = Channels(self._settings)
        # The metadata of the last call.
        self._credentials: tuple[tuple[str, str], ...] = ()

    def start(
        self,
        path: str,
        request: bytes,
        timeout: float | None,
        *,
        deadline: float | None = None,
        images: Sequence[EncodedImage] = (),
        resends: int = 0,
    ) -> Call:
        """Send a request, now or when the server has room, without waiting for its answer.

        Args:
            path: The RPC's path.
            request: The message.
            timeout: Seconds that the server has for each attempt.
            deadline: The caller's deadline, on the clock of `time.monotonic`; None: none.
            images: As for `Telemetry.begin`.
            resends: As for `Telemetry.begin`.

        Raises:
            UsageError: gRPC was in use when this process was forked.
        """
        self._channels.open()

        def begin(tries: int) -> Any:
            seconds = timeout if deadline is None else seconds_left(deadline)
            return self._begin(path, request, seconds, images=images, resends=resends + tries)

        try:
            self._prepare(request)
        except CallError as error:
            return _failed_call(error)
        # Other RPCs than Predict go first: they must not wait behind thousands of predictions.
        return self._line.start(
            begin,
            partial(self._failed, path=path),
            explain=partial(self._explain, path),
            deadline=deadline,
            urgent=path != PREDICT,
        )

    def _begin(
        self, path: str, request: bytes, timeout: float | None, *, images: Sequence[EncodedImage], resends: int
    ) -> Any:
        metadata = self._credentials = self._metadata()
        attempt = None
        if self._telemetry is not None:
            attempt = self._telemetry.begin(path, images=images, resends=resends)
            metadata += attempt.headers
        try:
            future = self._channels.call(path).future(request, timeout=timeout, metadata=metadata)
        except (ValueError, RuntimeError, grpc.RpcError) as error:
            # ValueError: the channel is closed. RpcError: the request cannot be sent. RuntimeError: the program ends,
            # and Python starts no more threads for gRPC.
            code, details = grpc.StatusCode.CANCELLED, CLOSED
            if isinstance(error, RuntimeError):
                details = f"{CLOSED} {error}"
            if isinstance(error, grpc.RpcError):
                code, details = error.code(), error.details()
            if attempt is not None:
                attempt.end(code, details)
            raise self._failed(code, details, path) from None
        self._channels.note(future)
        if attempt is not None:
            future.add_done_callback(attempt.ended)
        return future

    def perform(self, steps: Steps[_T]) -> _T:
        """Take the steps of a call, and return its result.

        Raises:
            CallError: The server did not answer.
        """
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    self.closed.wait(step.seconds)
                    step = next(steps)
                    continue
                path, request, timeout, deadline, resends = step
                try:
                    answer = self.start(path, request, timeout, deadline=deadline, resends=resends).result()
                except CallError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            return cast(_T, end.value)

    def close(self) -> None:
        """Cancel what is in flight, and close the connection."""
        self.closed.set()
        self._line.close()
        # Closing waits for gRPC's threads. If Ctrl-C or a signal interrupted it, the half-closed channel would keep the
        # process from ending. Signals do not interrupt another thread.
        closing = threading.Thread(target=self._channels.close)
        try:
            closing.start()
        except RuntimeError:
            # The interpreter is shutting down, and starts no more threads.
            self._channels.close()
            return
        closing.join()

    def forked(self) -> ModelServer:
        """Return the replacement in a child of a fork, where this object cannot be used."""
        leave_behind(self)
        server = ModelServer(self._settings, self._settings.contact())
        if self.closed.is_set():
            server.closed.set()
            server._line.close()
            server._channels.close()
        return server

    def _explain(self, path: str, error: CallError, end: Callable[[CallError], object]) -> None:
        request = None if self.contact.met else look(error, path, self._settings)
        if request is None:
            end(error)
            return
        try:
            future = self._channels.call(STATUS).future(request, timeout=LOOK_SECONDS, metadata=self._credentials)
        except (ValueError, RuntimeError, grpc.RpcError):
            # The client was closed meanwhile, or the program ends.
            end(error)
            return
        self._channels.note(future)

        def landed(_: object) -> None:
            ok = future.code() is grpc.StatusCode.OK
            found = future.result() if ok else self._failed(future.code(), future.details(), STATUS)
            end(told(error, found, self._settings))

        future.add_done_callback(landed)

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        token = self._settings.token
        if token is None:
            return ()
        try:
            return bearer(token() if callable(token) else token)
        # The caller's own function may raise anything.
        except Exception as error:
            raise self._no_token(error) from error


def _failed_call(error: CallError) -> Future[bytes]:
    call: Future[bytes] = Future()
    call.set_exception(error)
    return call
