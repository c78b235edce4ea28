"""The way to the server: TF Serving's RPCs by name, and the one place where gRPC's errors become ours."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import grpc

from ._errors import CallError, call_error
from ._pipeline import Call
from .wire.metadata_pb2 import GetModelMetadataRequest, GetModelMetadataResponse
from .wire.predict_pb2 import PredictRequest, PredictResponse
from .wire.status_pb2 import GetModelStatusRequest, GetModelStatusResponse

_Answer = TypeVar("_Answer")

_CHANNEL_OPTIONS = (
    # gRPC's own limit is 4 MiB: an answer with logits or feature maps is soon larger.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A server that comes up is noticed within seconds; gRPC would let its tries grow two minutes apart.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


class PendingCall(Generic[_Answer]):
    """A call on its way; `result()` waits for its answer, or raises its failure as a `CallError`.

    Args:
        future: gRPC's.
        failed: Makes the error from gRPC's code and words.
    """

    def __init__(self, future: Any, failed: Callable[[grpc.StatusCode, str], CallError]) -> None:
        self._future = future
        self._failed = failed

    def result(self) -> _Answer:
        """Waits for the answer.

        Raises:
            CallError: The call failed.
        """
        try:
            answer: _Answer = self._future.result()
        # What a cancelled call raises is no RpcError, but the call has its code and words all the same.
        except (grpc.RpcError, grpc.FutureCancelledError) as error:
            raise self._failed(self._future.code(), self._future.details()) from error
        except BaseException:
            # Ctrl-C, while waiting: nobody will take the answer.
            self._future.cancel()
            raise
        return answer

    def done(self) -> bool:
        """Whether `result()` would not wait."""
        return bool(self._future.done())

    def cancel(self) -> None:
        """Gives the call up."""
        self._future.cancel()

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Calls back when the answer or failure is there, on a thread of gRPC's."""
        self._future.add_done_callback(callback)


class ModelServer:
    """The RPCs of one model's server over one channel: `ModelServer("localhost:8500", "model pnasnet")`.

    Args:
        target: A gRPC target.
        model: The model in words, for errors.
    """

    def __init__(self, target: str, model: str) -> None:
        self._target = target
        self._model = model
        self._channel = grpc.insecure_channel(target, options=_CHANNEL_OPTIONS)
        self._predict = self._rpc("PredictionService/Predict", PredictRequest, PredictResponse)
        self._metadata = self._rpc(
            "PredictionService/GetModelMetadata", GetModelMetadataRequest, GetModelMetadataResponse
        )
        self._status = self._rpc("ModelService/GetModelStatus", GetModelStatusRequest, GetModelStatusResponse)

    def predict(self, request: PredictRequest, timeout: float) -> Call[PredictResponse]:
        """Sends a Predict request and does not wait for its answer."""
        return self._start(self._predict, request, timeout)

    def metadata(self, request: GetModelMetadataRequest, timeout: float) -> GetModelMetadataResponse:
        """Asks for a model's signatures."""
        call: Call[GetModelMetadataResponse] = self._start(self._metadata, request, timeout)
        return call.result()

    def status(self, request: GetModelStatusRequest, timeout: float) -> GetModelStatusResponse:
        """Asks for a model's versions."""
        call: Call[GetModelStatusResponse] = self._start(self._status, request, timeout)
        return call.result()

    def close(self) -> None:
        """Gives up what is on its way, and closes the connection."""
        self._channel.close()

    def _rpc(self, path: str, request: Any, answer: Any) -> Any:
        return self._channel.unary_unary(
            f"/tensorflow.serving.{path}",
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )

    def _start(self, rpc: Any, request: Any, timeout: float) -> Call[Any]:
        try:
            return PendingCall(rpc.future(request, timeout=timeout), self._failed)
        # gRPC's word for a closed channel.
        except ValueError as error:
            return _failed_call(self._failed(grpc.StatusCode.CANCELLED, "Channel closed!"), error)
        # The request could not be serialized.
        except grpc.RpcError as error:
            return _failed_call(self._failed(error.code(), error.details()), error)

    def _failed(self, code: grpc.StatusCode, details: str) -> CallError:
        return call_error(code, details, target=self._target, model=self._model)


def _failed_call(error: CallError, cause: Exception) -> Future[Any]:
    error.__cause__ = cause
    call: Future[Any] = Future()
    call.set_exception(error)
    return call
