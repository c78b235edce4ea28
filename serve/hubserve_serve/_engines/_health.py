"""Whether a model server answers, by gRPC's health protocol."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OPTIONS = (
    # A server that comes up is noticed at once; gRPC would let its tries grow two minutes apart.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A proxy for the web is not between this process and its own server.
    ("grpc.enable_http_proxy", 0),
)
# grpc.health.v1 in bytes: the request for the whole server is empty, and this is the answer SERVING.
_SERVING = b"\x08\x01"
_CALL_SECONDS = 2.0


@contextlib.contextmanager
def health_of(target: str) -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether the server at the target answers that it serves.

    TensorFlow Serving opens its port when the models are loaded and warmed up, and answers SERVING from then on.
    """
    with grpc.insecure_channel(target, _OPTIONS) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")

        def serving() -> bool:
            try:
                return bool(check(b"", timeout=_CALL_SECONDS) == _SERVING)
            except grpc.RpcError:
                return False

        yield serving
