"""Requests read from their bytes where a call is answered, and not before.

gRPC for Python (1.85) keeps some 15 kB of every call whose request its deserializer cannot read, until the connection
ends. So the deserializer gives the bytes, and they are read here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError


class Parsing(grpc.ServerInterceptor):
    """Reads the requests of all methods that take one: `grpc.server(pool, interceptors=[Parsing()])`.

    A request that cannot be read ends with gRPC's own code and words.
    """

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Take the deserializer from a handler, and use it within the call."""
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
