"""The life of an embedded server: load, warm up, open the port, answer, drain."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from ._drain import Drain
from ._errors import AddressError, ServeError
from ._manager import Manager
from ._servable import Servable, load_servable
from ._services import ModelService, PredictionService
from ._session import read_session_config
from ._store import find_version
from ._tensors import MAX_BYTES
from ._warmup import read_warmup, replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

# TF Serving announces these short names, and the empty one for the whole server.
_HEALTH_NAMES = ("", "PredictionService", "ModelService")


def _silent(progress: str) -> None:
    """Report nothing."""


class EmbeddedServer:
    """One model behind TF Serving's gRPC API, in this process.

    ``with EmbeddedServer("models/pnasnet") as server: channel = grpc.insecure_channel(server.target)``

    Args:
        model_dir: The model's base folder, the one that holds its versions.
        name: The model's name for callers; by default the folder's.
        version: The version to serve; by default the highest.
        host: The address to listen on; only this machine can reach the default.
        port: The port to listen on; 0 takes a free one.
        session_config: A file with a ``tensorflow.ConfigProto`` in protobuf text form.
        drain_seconds: How long calls in flight may take to finish when the server stops.
        report: Is called with a line of progress, for a person to read.

    Attributes:
        name: The model's name.
        version: The version that is served, once the server has started.
        target: ``HOST:PORT``, once the server has started.
    """

    version: int
    target: str

    def __init__(
        self,
        model_dir: str | os.PathLike[str],
        *,
        name: str | None = None,
        version: int | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        session_config: str | os.PathLike[str] | None = None,
        drain_seconds: float = 30.0,
        report: Callable[[str], None] = _silent,
    ) -> None:
        self._model_dir = Path(model_dir)
        self.name = name or self._model_dir.resolve().name
        self._wanted_version = version
        self._host, self._port = host, port
        self._session_config = Path(session_config) if session_config is not None else None
        self._drain_seconds = drain_seconds
        self._report = report

    def __enter__(self) -> EmbeddedServer:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    def start(self) -> None:
        """Load the model, warm it up, and open the port.

        Raises:
            ServeError: One of its kinds, when any of that cannot be done; then nothing is left behind.
        """
        directory = find_version(self._model_dir, self._wanted_version)
        config = read_session_config(self._session_config) if self._session_config else None
        _require_free(self._host, self._port)
        self._report(f"loading {directory.path}")
        servable = load_servable(self.name, directory, config)
        try:
            if logs := read_warmup(directory.path):
                self._report(f"warming up with {len(logs)} records")
                replay(servable, logs)
            self._open(servable)
        except ServeError:
            servable.session.close()
            raise
        self._servable = servable
        self.version = directory.version

    def stop(self) -> None:
        """Refuse new calls with UNAVAILABLE, let those in flight finish for at most the drain time, and end."""
        self._health.enter_graceful_shutdown()
        try:
            self._drain.wait(self._drain_seconds)
            self._server.stop(None).wait()
        finally:
            # What still runs has no caller any more: closing the session cancels it, so that the process can leave.
            self._servable.session.close()
            self._handlers.shutdown()

    def _open(self, servable: Servable) -> None:
        handlers = ThreadPoolExecutor(_callers(servable), thread_name_prefix="rpc")
        self._drain = Drain()
        server = grpc.server(
            handlers,
            interceptors=[self._drain],
            options=[
                ("grpc.max_receive_message_length", MAX_BYTES),
                ("grpc.max_send_message_length", -1),
                # With it on, as gRPC has it, a second server would share the port of the first and take half its calls.
                ("grpc.so_reuseport", 0),
            ],
        )
        manager = Manager([servable])
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(manager), server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(manager), server)
        self._health = health.HealthServicer()
        for service in _HEALTH_NAMES:
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        try:
            port = server.add_insecure_port(_address(self._host, self._port))
        except RuntimeError as error:
            raise AddressError(
                f"cannot listen on {_address(self._host, self._port)}: choose another port or host"
            ) from error
        server.start()
        self._server, self._handlers = server, handlers
        self.target = _address(self._host, port)


def _callers(servable: Servable) -> int:
    """Tell how many calls are worked on at a time; the rest wait their turn.

    Four for each processor is TF Serving's number. A caller whose rows wait for a batch holds its thread, so a batch of
    single images can only fill up when there is a thread for each.
    """
    at_work = 4 * (os.cpu_count() or 1)
    return at_work if servable.batching is None else max(at_work, min(2 * servable.batching.max_batch_size, 1024))


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _require_free(host: str, port: int) -> None:
    """Find out before the long load, and in the system's words, that the address cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise AddressError(
            f"cannot listen on {_address(host, port)} ({error.strerror}): choose another port or host"
        ) from error
