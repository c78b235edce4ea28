"""The shared half of both ways to a server: channels, credentials, the mapping of gRPC's errors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc

from .._errors import AccessDenied, CallError, call_error
from .._schedule.retry import Contact
from .._settings import ClientSettings
from ..wire.codec import METADATA, PREDICT, STATUS
from .channel import channel_options, grpc_targets
from .forks import refuse_after_fork_at_work
from .malloc import expect
from .security import loaded, no_token
from .telemetry import telemetry
from .unserved import of_status

if TYPE_CHECKING:
    import asyncio
    import threading

_Event = TypeVar("_Event", bound="threading.Event | asyncio.Event")
# protobuf's and gRPC's limits on one message are lower.
_TOO_LARGE = 2**31
CLOSED = "Channel closed!"


class BaseServer(Generic[_Event]):
    """Keep the settings of one model's server, or of its replicas, and map the errors of its calls.

    Args:
        settings: The client's settings.
        contact: What the client knows about its servers.
        closed: An event that is set when the client is closed.

    Attributes:
        contact: See the argument.
        closed: See the argument.

    Raises:
        UsageError: A TLS file cannot be read.
    """

    def __init__(self, settings: ClientSettings, contact: Contact, closed: _Event) -> None:
        # Files are read here, not when channels are opened, so that the constructor raises the error of a bad file. A
        # client after a fork does not read the files again.
        self._settings = replace(settings, tls=loaded(settings.tls))
        self.contact = contact
        self.closed = closed
        self._telemetry = telemetry(settings)

    def _prepare(self, request: bytes) -> None:
        """Prepare for a request of this size.

        Raises:
            CallError: The request is larger than a message can be.
        """
        if len(request) >= _TOO_LARGE:
            raise self._failed(grpc.StatusCode.INTERNAL, "serializing request: 2 GiB or more")
        expect(len(request))

    def _no_token(self, error: Exception) -> AccessDenied:
        return no_token(self._settings.target_in_words(), error)

    def _failed(self, code: grpc.StatusCode, details: str | None, path: str = PREDICT) -> CallError:
        """Make the error for gRPC's code and message."""
        if self.closed.is_set() and code is grpc.StatusCode.CANCELLED:
            details = CLOSED
        words = self._settings
        where, model, rpc = words.target_in_words(), words.model_in_words(), path.rpartition("/")[2]
        error = call_error(code, details, target=where, model=model, rpc=rpc, hint=words.proxy_hint())
        return of_status(error, path, words)


def open_channels(api: Any, settings: ClientSettings) -> tuple[list[Any], list[dict[str, Any]]]:
    """Open a channel to each server.

    Args:
        api: `grpc` or `grpc.aio`.
        settings: The client's settings, with TLS files already read.

    Returns:
        The channels, and for each its calls by path. Requests and answers are bytes.

    Raises:
        UsageError: gRPC was in use when this process was forked.
    """
    refuse_after_fork_at_work()
    targets, replicas = grpc_targets(settings.target)
    options = channel_options(replicas=replicas, tls=settings.tls, more=settings.channel_options or {})
    if settings.tls is None:
        channels = [api.insecure_channel(target, options=options) for target in targets]
    else:
        credentials = settings.tls.credentials()
        channels = [api.secure_channel(target, credentials, options=options) for target in targets]
    calls = [{path: channel.unary_unary(path) for path in (PREDICT, METADATA, STATUS)} for channel in channels]
    return channels, calls
