"""The way to the server for threads: calls by name, bytes in and out, and gRPC's errors as ours."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import grpc

from .._errors import CallError, call_error
from .._images.encode import EncodedImage
from .._schedule.retry import Contact
from .._settings import Settings, deadline_in, seconds_left
from ..wire.codec import PREDICT, STATUS
from .dispatch import Line
from .forks import leave_behind
from .security import bearer, no_token
from .telemetry import telemetry
from .thread_channels import Channels
from .unserved import LOOK_SECONDS, look, told

_log = logging.getLogger("hubserve")
# What protobuf and gRPC hold in one message is less.
_TOO_LARGE = 2**31


class Call(Protocol):
    """An answer on its way: a `LinedCall`, or a `concurrent.futures.Future`."""

    def result(self) -> bytes:
        """Wait for the answer, or raise the failure as a `CallError`."""

    def cancel(self) -> object:
        """Give the answer up."""

    def add_done_callback(self, callback: Callable[[Any], object], /) -> object:
        """Call back when the answer or failure is there, on any thread."""


class ModelServer:
    """The RPCs of one model's server, or of its replicas, over a channel each.

    Args:
        settings: The client's.
        contact: What the client knows about its servers.

    Attributes:
        contact: See the argument.
    """

    def __init__(self, settings: Settings, contact: Contact) -> None:
        self._settings = settings
        self.contact = contact
        self._telemetry = telemetry(settings)
        self._line = Line(contact.gate)
        self.closed = threading.Event()
        self._channels = Channels(settings)
        # Those of the last call.
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
        """Send a request, at once or when the server has room, and do not wait for its answer.

        Args:
            path: The RPC's.
            request: The message.
            timeout: Seconds that the server has, each time that the request is sent.
            deadline: When the caller's time is over, on the clock of `time.monotonic`; None: never.
            images: As for `Telemetry.begin`.
            resends: As for `Telemetry.begin`.

        Raises:
            UsageError: This process was forked while gRPC was at work.
        """
        self._channels.open()

        def begin(tries: int) -> Any:
            seconds = timeout if deadline is None else seconds_left(deadline)
            return self._begin(path, request, seconds, images=images, resends=resends + tries)

        if len(request) >= _TOO_LARGE:
            return _failed_call(self._failed(grpc.StatusCode.INTERNAL, "serializing request: 2 GiB or more"))
        # What tells about the model is asked beside thousands of predictions, too.
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
            # and Python starts no thread for gRPC any more.
            code, details = grpc.StatusCode.CANCELLED, "Channel closed!"
            if isinstance(error, RuntimeError):
                details = f"Channel closed! {error}"
            if isinstance(error, grpc.RpcError):
                code, details = error.code(), error.details()
            if attempt is not None:
                attempt.end(code, details)
            raise self._failed(code, details, path) from error
        self._channels.note(future)
        if attempt is not None:
            future.add_done_callback(attempt.ended)
        return future

    def ask(self, path: str, request: bytes, timeout: float | None) -> bytes:
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
                answer = self.start(path, request, timeout, deadline=deadline, resends=resends).result()
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
                # A wait that closing the client ends: the next start says so.
                self.closed.wait(at - now)
                resends += 1
            else:
                self.contact.answered(time.monotonic())
                return answer

    def close(self) -> None:
        """Give up what is on its way, and close the connection."""
        self.closed.set()
        self._line.close()
        # gRPC waits there for its own threads. Where Ctrl-C or a signal breaks into that, what is half closed keeps the
        # process from ever ending; no signal breaks into another thread.
        closing = threading.Thread(target=self._channels.close)
        try:
            closing.start()
        except RuntimeError:
            # The interpreter ends, and starts no threads any more.
            self._channels.close()
            return
        closing.join()

    def forked(self) -> ModelServer:
        """Give what takes its place in a child, in which this one cannot be used."""
        leave_behind(self)
        # The TLS files are not read again.
        settings = replace(self._settings, tls=self._channels.tls)
        server = ModelServer(settings, settings.contact())
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
        # Whatever the caller's own function raises.
        except Exception as error:
            raise no_token(self._settings.target_in_words(), error) from error

    def _failed(self, code: grpc.StatusCode, details: str | None, path: str = PREDICT) -> CallError:
        if self.closed.is_set() and code is grpc.StatusCode.CANCELLED:
            details = "Channel closed!"
        words = self._settings
        where, model, rpc = words.target_in_words(), words.model_in_words(), path.rpartition("/")[2]
        return call_error(code, details, target=where, model=model, rpc=rpc, hint=words.proxy_hint())


def _failed_call(error: CallError) -> Future[bytes]:
    call: Future[bytes] = Future()
    call.set_exception(error)
    return call
