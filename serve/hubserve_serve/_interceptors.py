"""Accept or refuse each call before it is answered, and parse its request."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

_HEALTH = "/grpc.health.v1.Health/"


class Drain(grpc.ServerInterceptor):
    """Count the calls of a server: ``grpc.server(..., interceptors=[drain])``, and at its end ``drain.wait(30.0)``.

    Args:
        max_calls: The most calls at a time. More are refused with TF Serving's message for its ``--grpc_max_threads``.

    gRPC's own graceful stop does not work here: a call that arrives while it stops is CANCELLED, which clients do not
    retry on another server, and a client that watches its health keeps it waiting for the full time.
    """

    def __init__(self, max_calls: int) -> None:
        self._max_calls = max_calls
        self._changed = threading.Condition()
        self._in_flight = 0
        self._closed = False

    def wait(self, seconds: float) -> None:
        """Refuse new calls with UNAVAILABLE, and wait until those in flight are answered, up to `seconds`."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._in_flight == 0, seconds)

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Count a call, unless it is a health check."""
        handler = continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_HEALTH):
            return handler

        def counted(request: Any, context: grpc.ServicerContext) -> Any:
            if (refusal := self._enter()) is not None:
                context.abort(*refusal)
            # The callback runs when the answer has been sent, not only made.
            if not context.add_callback(self._leave):
                self._leave()
                context.abort(grpc.StatusCode.CANCELLED, "The caller has gone")
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(counted, handler.request_deserializer, handler.response_serializer)

    def _enter(self) -> tuple[grpc.StatusCode, str] | None:
        """Count a call; or return the code and message to refuse it with."""
        with self._changed:
            if self._closed:
                return grpc.StatusCode.UNAVAILABLE, "The server is stopping"
            if self._in_flight >= self._max_calls:
                return grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted"
            self._in_flight += 1
            return None

    def _leave(self) -> None:
        with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()


class Parsing(grpc.ServerInterceptor):
    """Parse requests within the call, and not before: `grpc.server(pool, interceptors=[Parsing()])`.

    gRPC for Python (1.85) keeps about 15 kB of every call whose request its deserializer cannot parse, until the
    connection ends. Here such a request ends with the same code and message.
    """

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Remove the deserializer from a handler, and use it within the call."""
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None or handler.request_deserializer is None:
            return handler

        def parsed(data: bytes, context: grpc.ServicerContext) -> Any:
            try:
                request = handler.request_deserializer(data)
            except DecodeError:
                context.abort(grpc.StatusCode.INTERNAL, "Exception deserializing request!")
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(parsed, response_serializer=handler.response_serializer)
