"""Write requests as bytes, and read answers from bytes, for both clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias, TypeVar

from google.protobuf.message import DecodeError, Message

from .._errors import MalformedAnswer
from .._images.encode import EncodedImage
from .._results import ImageResult
from .metadata_pb2 import GetModelMetadataRequest
from .model_pb2 import ModelSpec
from .predict_pb2 import PredictResponse
from .status_pb2 import GetModelStatusRequest
from .writer import Chunks, predict_request, strings

_Result = TypeVar("_Result", bound=ImageResult)
_Message = TypeVar("_Message", bound=Message)

# Returns the results of a batch, given the bytes of its answer and its seconds.
Reader: TypeAlias = Callable[[bytes, Sequence[EncodedImage], float], Iterable[_Result]]

PREDICT = "/tensorflow.serving.PredictionService/Predict"
METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"


class Requests:
    """Write the requests about one model: `Requests("pnasnet", version=3).images([data])`."""

    def __init__(self, model: str, version: int | None = None, version_label: str | None = None) -> None:
        self._model = model
        self._version = version
        self._version_label = version_label
        self._images_spec = self._spec("serving_default").SerializeToString()

    def images(self, images: Sequence[EncodedImage]) -> bytes:
        """Return a Predict request for results of images.

        It names no outputs: the server batches only requests for the same outputs, so every client requests all of
        them.
        """
        return predict_request(self._images_spec, {"image_bytes": strings([image.data for image in images])})

    def predict(self, inputs: dict[str, Chunks], signature: str, outputs: Sequence[str] | None) -> bytes:
        """Return a Predict request for any signature."""
        return predict_request(self._spec(signature).SerializeToString(), inputs, outputs or ())

    def metadata(self) -> bytes:
        """Return a GetModelMetadata request; "signature_def" is the only field that the server knows."""
        request = GetModelMetadataRequest(model_spec=self._spec(), metadata_field=["signature_def"])
        return request.SerializeToString()

    def status(self) -> bytes:
        """Return a GetModelStatus request."""
        return GetModelStatusRequest(model_spec=self._spec()).SerializeToString()

    def _spec(self, signature: str = "") -> ModelSpec:
        spec = ModelSpec(name=self._model, signature_name=signature)
        if self._version is not None:
            spec.version.value = self._version
        if self._version_label is not None:
            spec.version_label = self._version_label
        return spec


def parse(kind: type[_Message], data: bytes) -> _Message:
    """Read a message.

    Raises:
        MalformedAnswer: The bytes are not this message.
    """
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise MalformedAnswer(
            f"the server's {len(data)} bytes are not a {kind.DESCRIPTOR.name}: check that TF Serving listens there"
        ) from error
    return message


def reading(read: Callable[[PredictResponse, Sequence[EncodedImage], float], Iterable[_Result]]) -> Reader[_Result]:
    """Make a reader of bytes from a reader of messages."""
    return lambda data, images, seconds: read(parse(PredictResponse, data), images, seconds)
