"""A gRPC server that answers every method with bytes that a test chooses, also bytes that are not messages."""

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

import grpc


class BytesServer:
    """`with BytesServer() as server: server.answers["Predict"] = b"..."`; a method without bytes is UNIMPLEMENTED.

    Attributes:
        answers: The answer of each method, by its name without the service's.
        calls: The names of the methods that were called.
    """

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.calls: list[str] = []
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", -1)])
        self._server.add_generic_rpc_handlers((_Handler(self),))
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def target(self) -> str:
        """Return where it listens."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve until it is stopped, or until nothing refers to it."""
        self._server.start()

    def __enter__(self) -> "BytesServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.stop(None).wait()


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, server: BytesServer) -> None:
        self._server = server

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        name = details.method.rpartition("/")[2]
        if name not in self._server.answers:
            return None
        self._server.calls.append(name)
        return grpc.unary_unary_rpc_method_handler(lambda _, __: self._server.answers[name])


class Forwarding:
    """A gateway that forwards some methods, and answers all others UNIMPLEMENTED: `Forwarding(target, "Predict")`."""

    def __init__(self, target: str, *names: str) -> None:
        self._channel = grpc.insecure_channel(target)
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((_Forwarder(self._channel, names),))
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def target(self) -> str:
        """Return where it listens."""
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> "Forwarding":
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.stop(None).wait()
        self._channel.close()


class _Forwarder(grpc.GenericRpcHandler):
    def __init__(self, channel: grpc.Channel, names: tuple[str, ...]) -> None:
        self._channel = channel
        self._names = names

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method.rpartition("/")[2] not in self._names:
            return None
        call = self._channel.unary_unary(details.method)
        return grpc.unary_unary_rpc_method_handler(lambda request, _: call(request))
