"""The health service `grpc.health.v1` of the fake server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc

# grpc.health.v1.HealthCheckResponse, status SERVING (1) and NOT_SERVING (2).
_SERVING, _NOT_SERVING = b"\x08\x01", b"\x08\x02"


class Health:
    """Tell clients whether the server is healthy: `Health().handler()`.

    A client with several servers watches each of them with a call that stays open. Such a call holds no thread of the
    server.
    """

    def __init__(self) -> None:
        # Held while clients are told, so that the last word is the newest. A call that ends must not wait for it: gRPC
        # ends calls on the thread on which it sends.
        self._telling = threading.Lock()
        self._ready = True
        self._watches: dict[grpc.ServicerContext, Callable[[bytes], None]] = {}

    @property
    def ready(self) -> bool:
        """Tell whether the server is healthy; clients that watch it are told of a change."""
        return self._ready

    @ready.setter
    def ready(self, ready: bool) -> None:
        with self._telling:
            changed = self._ready is not ready
            self._ready = ready
            for tell in list(self._watches.values()) if changed else ():
                tell(self._said())

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service, for a gRPC server."""

        def watch(_: bytes, context: grpc.ServicerContext, tell: Callable[[bytes], None]) -> None:
            with self._telling:
                self._watches[context] = tell
                # If the call is over already, gRPC does not take the function.
                if not context.add_callback(lambda: self._forget(context)):
                    self._forget(context)
                tell(self._said())

        # gRPC then gives the function that sends an answer, and the call stays open when `watch` returns. The package
        # grpcio-health-checking does it in this way.
        watch.experimental_non_blocking = True  # type: ignore[attr-defined]
        methods: dict[str, Any] = {
            "Check": grpc.unary_unary_rpc_method_handler(lambda _, __: self._said()),
            "Watch": grpc.unary_stream_rpc_method_handler(watch),
        }
        return grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods)

    def _said(self) -> bytes:
        return _SERVING if self._ready else _NOT_SERVING

    def _forget(self, context: grpc.ServicerContext) -> None:
        self._watches.pop(context, None)
