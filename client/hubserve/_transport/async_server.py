"""Call the server from asyncio: paths and bytes in, bytes or the library's errors out."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import grpc

from .._errors import CallError
from .._images.encode import EncodedImage
from .._schedule.retry import Contact
from .._schedule.steps import Pause, Steps
from .._settings import ClientSettings, seconds_left
from ..wire.codec import PREDICT, STATUS
from .async_dispatch import AsyncLine
from .base_server import CLOSED, BaseServer, open_channels
from .channel import Turns
from .forks import leave_behind, polls_from_now_on
from .security import bearer
from .unserved import LOOK_SECONDS, look, told

_T = TypeVar("_T")


class AsyncModelServer(BaseServer[asyncio.Event]):
    """The RPCs of one model's server, or of its replicas, each over its own channel of the running event loop.

    See `BaseServer`.
    """

    def __init__(self, settings: ClientSettings, contact: Contact) -> None:
        super().__init__(settings, contact, asyncio.Event())
        self._line = AsyncLine(contact.gate, self._failed)
        self._channels: list[Any] = []
        self._calls: list[dict[str, Any]] = []
        self._turns = Turns(0)

    async def call(
        self,
        path: str,
        request: bytes,
        timeout: float | None,
        *,
        deadline: float | None = None,
        images: Sequence[EncodedImage] = (),
        resends: int = 0,
    ) -> bytes:
        """Send a request, now or when the server has room, and wait for its answer.

        The arguments are those of `ModelServer.start`.

        Raises:
            CallError: The server did not answer.
        """
        self._prepare(request)

        async def attempt(tries: int) -> bytes:
            seconds = timeout if deadline is None else seconds_left(deadline)
            return await self._attempt(path, request, seconds, images=images, resends=resends + tries)

        try:
            # Other RPCs than Predict go first: they must not wait behind thousands of predictions.
            return await self._line.call(attempt, deadline=deadline, urgent=path != PREDICT)
        except CallError as error:
            said = await self._explained(path, error)
            if said is error:
                raise
        # Not where `error` is handled, so that its own origin stays known to a debugger.
        raise said

    async def _explained(self, path: str, error: CallError) -> CallError:
        request = None if self.contact.met else look(error, path, self._settings)
        if request is None:
            return error
        try:
            found: bytes | CallError = await self._attempt(STATUS, request, LOOK_SECONDS, images=(), resends=0)
        except CallError as failure:
            found = failure
        return told(error, found, self._settings)

    async def _attempt(
        self, path: str, request: bytes, timeout: float | None, *, images: Sequence[EncodedImage], resends: int
    ) -> bytes:
        if self.closed.is_set():
            raise self._failed(grpc.StatusCode.CANCELLED, CLOSED)
        metadata = await self._metadata()
        # The client may be closed while the token is fetched; then no channel may be opened again.
        if self.closed.is_set():
            raise self._failed(grpc.StatusCode.CANCELLED, CLOSED)
        attempt = None
        if self._telemetry is not None:
            attempt = self._telemetry.begin(path, images=images, resends=resends)
            metadata += attempt.headers
        code, details = grpc.StatusCode.CANCELLED, None
        try:
            answer: bytes = await self._next()[path](request, timeout=timeout, metadata=metadata)
            code = grpc.StatusCode.OK
        except grpc.RpcError as error:
            # The error of grpc.aio has code and details, as AioRpcError documents.
            code, details = error.code(), error.details()
            raise self._failed(code, details, path) from None
        except asyncio.CancelledError:
            # Closing the channel cancels its calls. A caller that cancels must get CancelledError.
            if self.closed.is_set():
                raise self._failed(grpc.StatusCode.CANCELLED, CLOSED) from None
            raise
        finally:
            if attempt is not None:
                attempt.end(code, details)
        return answer

    async def perform(self, steps: Steps[_T]) -> _T:
        """Take the steps of a call, and return its result.

        Raises:
            CallError: The server did not answer.
        """
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await self.sleep(step.seconds)
                    step = next(steps)
                    continue
                path, request, timeout, deadline, resends = step
                try:
                    answer = await self.call(path, request, timeout, deadline=deadline, resends=resends)
                except CallError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            return cast(_T, end.value)

    async def sleep(self, seconds: float) -> None:
        """Wait for some seconds, or until the client is closed: then the next call raises the error."""
        try:
            await asyncio.wait_for(self.closed.wait(), seconds)
        except asyncio.TimeoutError:
            return

    async def close(self) -> None:
        """Cancel what is in flight, and close the connection."""
        self.closed.set()
        self._line.close()
        for channel in self._channels:
            await channel.close()

    def leave_behind(self) -> None:
        """Keep the channels unused in a child of a fork."""
        leave_behind(self)

    def renewed(self) -> AsyncModelServer:
        """Return the replacement on another event loop, or in a child of a fork."""
        server = AsyncModelServer(self._settings, self._settings.contact())
        if self.closed.is_set():
            server.closed.set()
        return server

    def _next(self) -> dict[str, Any]:
        """Return the calls of the next server in turn."""
        if not self._channels:
            self._open()
        if len(self._channels) > 1:
            for place, channel in enumerate(self._channels):
                self._turns.note(place, channel.get_state(try_to_connect=True))
        return self._calls[self._turns.next()]

    def _open(self) -> None:
        # Not in __init__: channels belong to the event loop that is running when they are made.
        # Only asyncio needs this part of gRPC.
        import grpc.aio

        polls_from_now_on()
        self._channels, self._calls = open_channels(grpc.aio, self._settings)
        self._turns = Turns(len(self._channels))

    async def _metadata(self) -> tuple[tuple[str, str], ...]:
        token = self._settings.token
        if token is None:
            return ()
        try:
            made = token() if callable(token) else token
            return bearer(await made if inspect.isawaitable(made) else made)
        # The caller's own function may raise anything.
        except Exception as error:
            raise self._no_token(error) from error
