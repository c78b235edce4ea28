"""The way to the server for asyncio: calls by name, bytes in and out, and gRPC's errors as ours."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import grpc

from .._errors import CallError, call_error
from .._images.encode import EncodedImage
from .._schedule.retry import Contact
from .._settings import Settings, deadline_in, seconds_left
from ..wire.codec import METADATA, PREDICT, STATUS
from .async_dispatch import AsyncLine
from .channel import channel_options, grpc_targets
from .forks import leave_behind, polls_from_now_on, refuse_after_fork_at_work
from .round_robin import Turns
from .security import bearer, loaded, no_token
from .telemetry import telemetry
from .unserved import LOOK_SECONDS, look, told

_log = logging.getLogger("hubserve")
# What protobuf and gRPC hold in one message is less.
_TOO_LARGE = 2**31


class AsyncModelServer:
    """The RPCs of one model's server, or of its replicas, over a channel each of the running event loop.

    Args:
        settings: The client's.
        contact: What the client knows about its servers.

    Attributes:
        contact: See the argument.
        tls: The client's encryption, its files read.

    Raises:
        UsageError: A TLS file cannot be read.
    """

    def __init__(self, settings: Settings, contact: Contact) -> None:
        self._settings = settings
        self.contact = contact
        self._telemetry = telemetry(settings)
        # Here, not where the channels are opened: what is wrong with a file is said when the client is made.
        self.tls = loaded(settings.tls)
        self._line = AsyncLine(contact.gate, self._failed)
        self._closed = asyncio.Event()
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
        """Send a request, at once or when the server has room, and wait for its answer.

        Args:
            path: The RPC's.
            request: The message.
            timeout: Seconds that the server has, each time that the request is sent.
            deadline: When the caller's time is over, on the clock of `time.monotonic`; None: never.
            images: As for `Telemetry.begin`.
            resends: As for `Telemetry.begin`.

        Raises:
            CallError: There is no answer.
        """
        if len(request) >= _TOO_LARGE:
            raise self._failed(grpc.StatusCode.INTERNAL, "serializing request: 2 GiB or more")

        async def attempt(tries: int) -> bytes:
            seconds = timeout if deadline is None else seconds_left(deadline)
            return await self._attempt(path, request, seconds, images=images, resends=resends + tries)

        try:
            # What tells about the model is asked beside thousands of predictions, too.
            return await self._line.call(attempt, deadline=deadline, urgent=path != PREDICT)
        except CallError as error:
            said = await self._explained(path, error)
            if said is error:
                raise
            raise said from said.__cause__

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
        if self._closed.is_set():
            raise self._failed(grpc.StatusCode.CANCELLED, "Channel closed!")
        metadata = await self._metadata()
        # Closed while the token was fetched: a channel must not be opened again.
        if self._closed.is_set():
            raise self._failed(grpc.StatusCode.CANCELLED, "Channel closed!")
        attempt = None
        if self._telemetry is not None:
            attempt = self._telemetry.begin(path, images=images, resends=resends)
            metadata += attempt.headers
        code, details = grpc.StatusCode.CANCELLED, None
        try:
            answer: bytes = await self._next()[path](request, timeout=timeout, metadata=metadata)
            code = grpc.StatusCode.OK
        except grpc.RpcError as error:
            # grpc.aio's error has them, as AioRpcError says.
            code, details = error.code(), error.details()
            raise self._failed(code, details, path) from error
        except asyncio.CancelledError as error:
            # Closing the channel cancels its calls; so does the caller, who then must not see another error.
            if self._closed.is_set():
                raise self._failed(grpc.StatusCode.CANCELLED, "Channel closed!") from error
            raise
        finally:
            if attempt is not None:
                attempt.end(code, details)
        return answer

    async def ask(self, path: str, request: bytes, timeout: float | None) -> bytes:
        """Send a request and wait for its answer, trying again as the retry policy has it, within the timeout.

        Raises:
            CallError: There is no answer.
        """
        deadline = deadline_in(timeout)
        first_failure = None
        resends = repeats = 0
        while True:
            sent = time.monotonic()
            try:
                answer = await self.call(path, request, timeout, deadline=deadline, resends=resends)
            except CallError as error:
                now = time.monotonic()
                first_failure = now if first_failure is None else first_failure
                at = self.contact.retry_at(error, sent=sent, now=now, first_failure=first_failure, deadline=deadline)
                if at is None:
                    at = self.contact.again_at(error, repeats, now, deadline)
                    repeats += 1
                if at is None:
                    raise
                _log.info("again in %.2f s: %s", at - now, error)
                await self.sleep(at - now)
                resends += 1
            else:
                self.contact.answered(time.monotonic())
                return answer

    async def sleep(self, seconds: float) -> None:
        """Wait so long, or until the client is closed: the next call says so."""
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except asyncio.TimeoutError:
            return

    async def close(self) -> None:
        """Give up what is on its way, and close the connection."""
        self._closed.set()
        self._line.close()
        for channel in self._channels:
            await channel.close()

    def leave_behind(self) -> None:
        """Give up the channels in a child of a fork."""
        leave_behind(self)

    def renewed(self) -> AsyncModelServer:
        """Give what takes its place on another event loop, or in a child of a fork."""
        # The TLS files are not read again.
        settings = replace(self._settings, tls=self.tls)
        server = AsyncModelServer(settings, settings.contact())
        if self._closed.is_set():
            server._closed.set()
        return server

    def _next(self) -> dict[str, Any]:
        """Return the calls of the server whose turn it is."""
        if not self._channels:
            self._open()
        if len(self._channels) > 1:
            for place, channel in enumerate(self._channels):
                self._turns.note(place, channel.get_state(try_to_connect=True))
        return self._calls[self._turns.next()]

    def _open(self) -> None:
        # Not in __init__: channels belong to the event loop that runs when they are made.
        # The half of gRPC that only asyncio needs.
        import grpc.aio

        refuse_after_fork_at_work()
        polls_from_now_on()
        settings = self._settings
        targets, replicas = grpc_targets(settings.target)
        options = channel_options(replicas=replicas, tls=settings.tls, more=settings.channel_options or {})
        if self.tls is None:
            self._channels = [grpc.aio.insecure_channel(target, options=options) for target in targets]
        else:
            credentials = self.tls.credentials()
            self._channels = [grpc.aio.secure_channel(target, credentials, options=options) for target in targets]
        self._turns = Turns(len(targets))
        self._calls = [
            {path: channel.unary_unary(path) for path in (PREDICT, METADATA, STATUS)} for channel in self._channels
        ]

    async def _metadata(self) -> tuple[tuple[str, str], ...]:
        token = self._settings.token
        if token is None:
            return ()
        try:
            made = token() if callable(token) else token
            return bearer(await made if inspect.isawaitable(made) else made)
        # Whatever the caller's own function raises.
        except Exception as error:
            raise no_token(self._settings.target_in_words(), error) from error

    def _failed(self, code: grpc.StatusCode, details: str | None, path: str = PREDICT) -> CallError:
        if self._closed.is_set() and code is grpc.StatusCode.CANCELLED:
            details = "Channel closed!"
        words = self._settings
        where, model, rpc = words.target_in_words(), words.model_in_words(), path.rpartition("/")[2]
        return call_error(code, details, target=where, model=model, rpc=rpc, hint=words.proxy_hint())
