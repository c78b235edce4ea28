"""A scripted model server: real gRPC on a real socket, with tensorflow-serving-api's own messages."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType

import grpc

from support.serving_messages import get_model_metadata_pb2, get_model_status_pb2, predict_pb2


@dataclass
class Refusal(Exception):  # noqa: N818
    """Raised by a script: the call ends with this code and these words."""

    code: grpc.StatusCode
    details: str


@dataclass
class FakeServer:
    """Answers each RPC with what its script returns; a script takes the request, and raises `Refusal` to refuse.

    Attributes:
        predict, metadata, status: The scripts.
        requests: Every Predict request, in the order of arrival.
        port: 0 for a free one.
    """

    predict: Callable[[predict_pb2.PredictRequest], predict_pb2.PredictResponse] | None = None
    metadata: Callable[[get_model_metadata_pb2.GetModelMetadataRequest], object] | None = None
    status: Callable[[get_model_status_pb2.GetModelStatusRequest], object] | None = None
    requests: list[predict_pb2.PredictRequest] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> "FakeServer":
        self._server = grpc.server(
            ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
        )
        self._serve("PredictionService", "Predict", predict_pb2.PredictRequest, self._predict)
        self._serve(
            "PredictionService",
            "GetModelMetadata",
            get_model_metadata_pb2.GetModelMetadataRequest,
            lambda request: self.metadata(request),
        )
        self._serve(
            "ModelService",
            "GetModelStatus",
            get_model_status_pb2.GetModelStatusRequest,
            lambda request: self.status(request),
        )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.stop(None).wait()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        self.requests.append(request)
        return self.predict(request)

    def _serve(self, service: str, method: str, request_type: type, script: Callable[..., object]) -> None:
        def answer(request: object, context: grpc.ServicerContext) -> object:
            try:
                return script(request)
            except Refusal as refusal:
                context.abort(refusal.code, refusal.details)

        handler = grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=request_type.FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", {method: handler})]
        )
