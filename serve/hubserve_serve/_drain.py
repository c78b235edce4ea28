"""How a server stops taking work: new calls are refused, and those in flight are waited for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable

_HEALTH = "/grpc.health.v1.Health/"


class Drain(grpc.ServerInterceptor):
    """Counts the calls of a server: ``grpc.server(..., interceptors=[drain])``, and at its end ``drain.wait(30.0)``.

    gRPC's own graceful stop does not do for this: a call that arrives while it stops is CANCELLED, which clients do not
    try again elsewhere, and somebody who watches its health keeps it waiting for as long as it may wait.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._in_flight = 0
        self._closed = False

    def wait(self, seconds: float) -> None:
        """Refuse new calls with UNAVAILABLE, and wait until those in flight are answered, at most for so long."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._in_flight == 0, seconds)

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Count a call, if it is one that has to be waited for."""
        handler = continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_HEALTH):
            return handler

        def counted(request: Any, context: grpc.ServicerContext) -> Any:
            if not self._enter():
                context.abort(grpc.StatusCode.UNAVAILABLE, "The server is stopping")
            # The callback comes when the answer has been sent, not merely made.
            if not context.add_callback(self._leave):
                self._leave()
                context.abort(grpc.StatusCode.CANCELLED, "The caller has gone")
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(counted, handler.request_deserializer, handler.response_serializer)

    def _enter(self) -> bool:
        with self._changed:
            if not self._closed:
                self._in_flight += 1
            return not self._closed

    def _leave(self) -> None:
        with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()
