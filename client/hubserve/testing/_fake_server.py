"""The fake model server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc

from ..wire.metadata_pb2 import GetModelMetadataRequest
from ..wire.predict_pb2 import PredictRequest, PredictResponse
from ..wire.status_pb2 import GetModelStatusRequest
from . import _messages
from ._health import Health
from ._script import DROP, Fault, Request, Script, Step
from ._tcp_relay import Relay

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


def _its_text(image: bytes) -> dict[str, float]:
    return {image[:40].decode(errors="replace"): 1.0}


class FakeServer:
    """A server of one model that a test defines: `with FakeServer(lambda image: {"cat": 0.9}) as server: ...`.

    It answers Predict, GetModelMetadata, GetModelStatus and health checks, in threads. It refuses what TF Serving
    refuses, with TF Serving's messages.

    Args:
        classify: Returns labels with scores for an image's bytes, best first, or the model's status of a bad image (1
            or 2). By default an image's first 40 bytes are its label.
        features: Instead of `classify`: returns the feature vector of an image's bytes, as floats.
        predict: Instead of both: called with the signature's name and the inputs as arrays, returns the outputs.
        model: The model's name; None: the server answers for any name.
        version: The model's version.
        port: The port; 0: a free one.
        max_batch_size: The server refuses larger batches.
        max_message_bytes: gRPC refuses larger messages; by default 2 GiB, as in TF Serving.
        input_size: The width and height of the model's input, for its metadata; None: the metadata do not give them.
        before: See the attribute.
        credentials: For TLS: the result of `grpc.ssl_server_credentials`.
        threads: How many requests are answered at once.

    Attributes:
        requests: Every Predict request, in the order of arrival.
        before: Called with each `Request` before it is answered; it may wait, or raise `Fault`.
        ready: Whether the model is reported as loaded, and the server as healthy.
    """

    def __init__(
        self,
        classify: _messages.Classify = _its_text,
        *,
        features: _messages.Featurize | None = None,
        predict: _messages.Predict | None = None,
        model: str | None = None,
        version: int = 1,
        port: int = 0,
        max_batch_size: int | None = None,
        max_message_bytes: int = -1,
        input_size: int | None = None,
        before: Callable[[Request], object] | None = None,
        credentials: grpc.ServerCredentials | None = None,
        threads: int = 16,
    ) -> None:
        self._classify = classify
        self._features = features
        self._predict = predict
        self._model = model
        self._version = version
        self._max_batch_size = max_batch_size
        self._max_message_bytes = max_message_bytes
        self._input_size = input_size
        self.before = before
        self._credentials = credentials
        self._threads = threads
        self._script = Script()
        self._stopping = threading.Event()
        self._health = Health()
        self._server: Any = None
        self._relay = Relay(port)
        self.requests: list[Request] = []

    @property
    def ready(self) -> bool:
        """Tell whether the model is reported as loaded, and the server as healthy."""
        return self._health.ready

    @ready.setter
    def ready(self, ready: bool) -> None:
        self._health.ready = ready

    @property
    def target(self) -> str:
        """The server's address: `127.0.0.1:PORT`, the same after each start."""
        return f"127.0.0.1:{self._relay.port}"

    def then(self, *steps: Step, times: int = 1) -> None:
        """Set what happens to the next Predict requests, one step each: the whole list, repeated `times` times.

            server.then(Fault("UNAVAILABLE", "gone"), 0.5, DROP, None)

        Args:
            steps: A `Fault`; seconds to wait before the answer; `DROP` for a connection that breaks; bytes to send
                instead of an answer; None for a normal answer.
            times: How often the list is used.
        """
        self._script.add(iter(steps * times))

    def start(self) -> None:
        """Start serving."""
        self._stopping.clear()
        self._server = grpc.server(
            ThreadPoolExecutor(self._threads + 4, thread_name_prefix="hubserve-fake-server"),
            options=[("grpc.max_receive_message_length", self._max_message_bytes), ("grpc.so_reuseport", 0)],
        )
        serving = "tensorflow.serving"
        self._serve(f"{serving}.PredictionService", "Predict", PredictRequest, self._answer)
        self._serve(f"{serving}.PredictionService", "GetModelMetadata", GetModelMetadataRequest, self._describe)
        self._serve(f"{serving}.ModelService", "GetModelStatus", GetModelStatusRequest, self._state)
        self._server.add_generic_rpc_handlers((self._health.handler(),))
        if self._credentials is None:
            behind = self._server.add_insecure_port("127.0.0.1:0")
        else:
            behind = self._server.add_secure_port("127.0.0.1:0", self._credentials)
        self._server.start()
        self._relay.open(behind)

    def stop(self) -> None:
        """Stop like a crash: connections break, and the port is closed. `start` starts the server again."""
        self._relay.close()
        self._stopping.set()
        if self._server is not None:
            self._server.stop(None).wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _answer(self, message: PredictRequest, context: grpc.ServicerContext) -> PredictResponse | bytes:
        spec = message.model_spec
        request = Request(
            model=spec.name,
            version=spec.version.value if spec.HasField("version") else None,
            version_label=spec.version_label,
            signature=spec.signature_name,
            images=tuple(message.inputs["image_bytes"].string_val) if "image_bytes" in message.inputs else (),
            metadata=dict(context.invocation_metadata()),
        )
        self.requests.append(request)
        step = self._script.next()
        if step is DROP:
            self._relay.drop()
        elif isinstance(step, Fault):
            raise step
        elif isinstance(step, bytes):
            return step
        elif step is not None:
            self._stopping.wait(step)
        if self.before is not None:
            self.before(request)
        self._check(spec.name)
        if self._max_batch_size is not None and len(request.images) > self._max_batch_size:
            raise Fault(
                "INVALID_ARGUMENT",
                f"Task size {len(request.images)} is larger than maximum input batch size {self._max_batch_size}",
            )
        if self._predict is not None:
            response = _messages.predicted(message, self._predict)
        elif self._features is not None:
            response = _messages.featurized(request.images, self._features)
        else:
            response = _messages.classified(request.images, self._classify)
        response.model_spec.CopyFrom(spec)
        response.model_spec.version.value = self._version
        return response

    def _describe(self, message: GetModelMetadataRequest, _: grpc.ServicerContext) -> object:
        self._check(message.model_spec.name)
        return _messages.described(
            message.model_spec.name,
            self._version,
            features=self._features is not None,
            input_size=self._input_size,
        )

    def _state(self, message: GetModelStatusRequest, _: grpc.ServicerContext) -> object:
        if self._model not in (None, message.model_spec.name):
            raise Fault("NOT_FOUND", f"Could not find any versions of model {message.model_spec.name}")
        return _messages.state(self._version, ready=self.ready)

    def _check(self, model: str) -> None:
        if self._model not in (None, model):
            raise Fault("NOT_FOUND", f"Servable not found for request: Latest({model})")

    def _serve(self, service: str, method: str, kind: Any, answer: Callable[[Any, grpc.ServicerContext], Any]) -> None:
        def answered(message: Any, context: grpc.ServicerContext) -> Any:
            try:
                return answer(message, context)
            except Fault as fault:
                context.abort(fault.code, fault.details)

        handler = grpc.unary_unary_rpc_method_handler(
            answered,
            request_deserializer=kind.FromString,
            response_serializer=lambda message: message if isinstance(message, bytes) else message.SerializeToString(),
        )
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
