"""The RPCs of TF Serving's gRPC port."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from ._classify import classify
from ._errors import RequestError, invalid
from ._predict import predict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tensorflow_serving.apis import (
        classification_pb2,
        get_model_status_pb2,
        predict_pb2,
    )

    from ._manager import Manager
    from ._servable import Servable

_LOG = logging.getLogger(__name__)
_MOST_WORDS = 1024
_SIGNATURE_DEF = "signature_def"


def _left_to_tf_serving(_service: object, _request: object, context: grpc.ServicerContext) -> NoReturn:
    """Refuse an RPC that the embedded engine does not have."""
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "The embedded engine does not have this RPC; TF Serving has")
    raise AssertionError("`context.abort` always raises")


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answer with the versions of a manager, `at_a_time` calls at a time: ``PredictionService(manager, 8)``."""

    def __init__(self, manager: Manager, at_a_time: int) -> None:
        self._manager = manager
        self._turn = threading.BoundedSemaphore(at_a_time)

    def Predict(  # noqa: N802 - the RPC's name
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Run a signature on tensors."""
        with _refusing(context):
            _require_spec(request)
            with self._turn, self._manager.use(request.model_spec) as servable:
                return predict(servable, request, _time_left(context))

    def Classify(  # noqa: N802
        self, request: classification_pb2.ClassificationRequest, context: grpc.ServicerContext
    ) -> classification_pb2.ClassificationResponse:
        """Run a classification signature on tf.Examples."""
        with _refusing(context):
            _require_spec(request)
            with self._turn, self._manager.use(request.model_spec) as servable:
                return classify(servable, request, _time_left(context))

    def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Return a model's signatures."""
        with _refusing(context):
            _require_spec(request)
            if not request.metadata_field:
                raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
            for field in request.metadata_field:
                if field != _SIGNATURE_DEF:
                    raise invalid(f"Metadata field {field} is not supported")
            with self._manager.use(request.model_spec) as servable:
                return _metadata(servable)

    Regress = MultiInference = _left_to_tf_serving


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Report on the versions of a manager: ``ModelService(manager)``."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Return the state of a model's versions."""
        with _refusing(context):
            _require_spec(request)
            return self._manager.status(request.model_spec)

    HandleReloadConfigRequest = _left_to_tf_serving


def _metadata(servable: Servable) -> get_model_metadata_pb2.GetModelMetadataResponse:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in servable.signatures.items():
        signatures.signature_def[name].CopyFrom(signature)
        signatures.signature_def[name].ClearField("defaults")
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    response.metadata[_SIGNATURE_DEF].Pack(signatures)
    return response


@contextlib.contextmanager
def _refusing(context: grpc.ServicerContext) -> Iterator[None]:
    """End the call with the code and message of a RequestError, and as INTERNAL after other exceptions."""
    try:
        yield
    except RequestError as error:
        words = error.words
        # TF Serving cuts its messages like this: they are sent in a header, whose size is limited.
        context.abort(error.code, words if len(words) <= _MOST_WORDS else f"{words[:_MOST_WORDS]}...TRUNCATED")
    except Exception:  # noqa: BLE001 - every caller gets an answer
        # This is a defect of hubserve. gRPC would send the whole text, which may be longer than a status can hold.
        _LOG.exception("a request could not be answered")
        context.abort(grpc.StatusCode.INTERNAL, "The embedded engine failed on this request; its log says how")


def _require_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")


def _time_left(context: grpc.ServicerContext) -> float | None:
    """Return the seconds until the caller's deadline; None if it did not set one.

    Raises:
        RequestError: The caller has gone already, so that the answer is not needed.
    """
    left: float | None = context.time_remaining()
    if not context.is_active() or (left is not None and left <= 0):
        raise RequestError(grpc.StatusCode.DEADLINE_EXCEEDED, "The deadline passed before the request was run")
    return left
