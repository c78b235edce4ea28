"""Run an embedded server: load, warm up, open the port, answer, drain."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from ._address import hold, join
from ._errors import AddressError
from ._interceptors import Drain, Parsing
from ._manager import Manager
from ._services import ModelService, PredictionService
from ._session import read_session_config
from ._store import Store, name_of
from ._tensors import MAX_BYTES
from ._watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from types import TracebackType

# TF Serving registers these short names, and the empty one for the whole server.
_HEALTH_NAMES = ("", "PredictionService", "ModelService")

# gRPC gives a call its thread before the request has arrived, so that callers that start a call and do not continue
# hold threads; refusing a call takes a thread, too. Threads are made when they are needed.
_SPARE_THREADS = 256


def _silent(progress: str) -> None:
    """Report nothing."""


class EmbeddedServer:
    """One model behind TF Serving's gRPC API, in this process.

    ``with EmbeddedServer("models/pnasnet") as server: channel = grpc.insecure_channel(server.target)``

    Args:
        model_dir: The model's base folder, the one that holds its versions.
        name: The model's name for callers; by default the folder's name.
        version: The version to serve, or several; by default the highest, and without labels also higher ones that
            appear.
        version_labels: Labels that callers may ask for, with their versions: ``{"stable": 1, "canary": 2}``.
        host: The address to listen on; only this machine can reach the default.
        port: The port to listen on; 0 takes a free one.
        session_config: A file with a ``tensorflow.ConfigProto`` in protobuf text form.
        poll_seconds: Seconds between two checks for new and removed versions.
        drain_seconds: How long calls in flight may take to finish when the server stops.
        max_threads: The most calls at a time, including those that wait; more are refused, as by TF Serving's
            ``--grpc_max_threads``. Health checks do not count.
        report: Called with lines of progress, for users.

    Attributes:
        name: The model's name.
        target: ``HOST:PORT``, once the server has started.
    """

    target: str

    def __init__(
        self,
        model_dir: str | os.PathLike[str],
        *,
        name: str | None = None,
        version: int | Collection[int] | None = None,
        version_labels: Mapping[str, int] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        session_config: str | os.PathLike[str] | None = None,
        poll_seconds: float = 1.0,
        drain_seconds: float = 30.0,
        max_threads: int = 1024,
        report: Callable[[str], None] = _silent,
    ) -> None:
        self.name = name or name_of(model_dir)
        self._labels = dict(version_labels or {})
        self._store = Store(Path(model_dir), (version,) if isinstance(version, int) else version, self._labels)
        self._host, self._port = host, port
        self._session_config = Path(session_config) if session_config is not None else None
        self._poll_seconds, self._drain_seconds = poll_seconds, drain_seconds
        self._max_threads = max_threads
        self._report = report

    @property
    def version(self) -> int:
        """The version that answers requests without a version, once the server has started."""
        return max(self._manager.available())

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
            ServeError: A step failed; everything that was started is stopped.
        """
        directories = self._store.find()
        config = read_session_config(self._session_config) if self._session_config else None
        # A wrong address is reported before the long load, with the system's message.
        hold(self._host, self._port).close()
        self._manager = Manager(self.name, self._labels)
        self._watcher = Watcher(self._manager, self._store, config, self._report)
        try:
            self._watcher.load(directories)
            self._open()
        except BaseException:
            self._manager.close()
            raise
        self._watcher.start(self._poll_seconds)

    def stop(self) -> None:
        """Refuse new calls with UNAVAILABLE, wait up to the drain time for those in flight, and end."""
        self._watcher.stop()
        self._health.enter_graceful_shutdown()
        try:
            self._drain.wait(self._drain_seconds)
            self._server.stop(None).wait()
        finally:
            # Work that still runs has no caller. Closing the sessions cancels it, so that the process can end.
            self._manager.close()
            self._watcher.join(self._drain_seconds)
            self._handlers.shutdown()

    def _open(self) -> None:
        handlers = ThreadPoolExecutor(self._max_threads + _SPARE_THREADS, thread_name_prefix="rpc")
        self._drain = Drain(self._max_threads)
        server = grpc.server(
            handlers,
            interceptors=[self._drain, Parsing()],
            options=[
                ("grpc.max_receive_message_length", MAX_BYTES),
                ("grpc.max_send_message_length", -1),
                # gRPC's default would let a second server share the first one's port, and take half of its calls.
                ("grpc.so_reuseport", 0),
                # A client whose machine has vanished never ends its calls. Keepalive ends them, and frees their
                # threads.
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 10_000),
            ],
        )
        prediction = PredictionService(self._manager, _at_a_time(self._manager.largest_batch(), self._max_threads))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(self._manager), server)
        self._health = health.HealthServicer()
        for service in _HEALTH_NAMES:
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        try:
            port = server.add_insecure_port(join(self._host, self._port))
        except RuntimeError as error:
            raise AddressError(
                f"cannot listen on {join(self._host, self._port)}: choose another port or host"
            ) from error
        server.start()
        self._server, self._handlers = server, handlers
        self.target = join(self._host, port)


def _at_a_time(largest_batch: int, max_threads: int) -> int:
    """Return how many calls are worked on at a time; the others wait.

    Four for each processor is TF Serving's number. A call whose rows wait for a batch counts as worked on, so that a
    batch of single images can only fill up if as many calls are allowed.
    """
    return max(4 * (os.cpu_count() or 1), min(2 * largest_batch, max_threads))
