"""A served model of which a test knows only its metadata, and the calls that tests make to it."""

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from serve.calls import PATIENCE, Caller, request
from support.photographs import CHELSEA, COFFEE, encoded, image

DEFAULT = "serving_default"
IMAGES = [encoded(image(file).resize((96, 64)), "JPEG") for file in (CHELSEA, COFFEE)]


def refusal(call: Callable[..., Any], message: object) -> tuple[grpc.StatusCode, str]:
    """The code and the words with which a server refuses a request."""
    with pytest.raises(grpc.RpcError) as caught:
        call(message, timeout=PATIENCE)
    return caught.value.code(), caught.value.details()


def in_turn(call: Callable[..., Any], message: object) -> Any:
    """The answer of a server with many callers at once: a caller that is refused because of the load sends again.

    A full batching queue (UNAVAILABLE) and TF Serving's --grpc_max_threads ("Server Threadpool Exhausted",
    RESOURCE_EXHAUSTED) are answers that a server may give then.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return call(message, timeout=PATIENCE)
        except grpc.RpcError as error:
            full = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
            if not full or time.monotonic() > deadline:
                raise


@dataclass(frozen=True)
class Subject:
    """A model that takes images: `subject.request(IMAGES[:2])` is a request to it that it can answer."""

    caller: Caller
    target: str
    model: str

    @functools.cached_property
    def metadata(self) -> get_model_metadata_pb2.GetModelMetadataResponse:
        message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        message.model_spec.name = self.model
        return self.caller.prediction.GetModelMetadata(message, timeout=PATIENCE)

    @functools.cached_property
    def signatures(self) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        signatures = get_model_metadata_pb2.SignatureDefMap()
        assert self.metadata.metadata["signature_def"].Unpack(signatures)
        return signatures.signature_def

    @functools.cached_property
    def alias(self) -> str:
        """The name of the default signature's input, which takes image files."""
        aliases = list(self.signatures[DEFAULT].inputs) if DEFAULT in self.signatures else []
        if len(aliases) != 1 or self.signatures[DEFAULT].inputs[aliases[0]].dtype != types_pb2.DT_STRING:
            pytest.skip(f"needs a model whose {DEFAULT} signature has one input, the bytes of images")
        return aliases[0]

    @property
    def version(self) -> int:
        return self.metadata.model_spec.version.value

    @property
    def outputs(self) -> list[str]:
        return sorted(self.signatures[DEFAULT].outputs)

    @functools.cached_property
    def numeric(self) -> tuple[str, Mapping[str, list[int]]]:
        """The name of a signature that takes only floats, and a shape that each of its inputs can have."""
        for name, signature in self.signatures.items():
            inputs = signature.inputs.items()
            if inputs and all(info.dtype == types_pb2.DT_FLOAT for _, info in inputs):
                return name, {alias: [max(1, dim.size) for dim in info.tensor_shape.dim] for alias, info in inputs}
        pytest.skip("needs a model with a signature that takes numbers only")

    def request(self, images: list[bytes] = IMAGES[:1], signature: str = "") -> predict_pb2.PredictRequest:
        return request(signature, self.model, **{self.alias: images})

    def predict(self, message: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        return self.caller.prediction.Predict(message, timeout=PATIENCE)

    def refusal(self, message: predict_pb2.PredictRequest) -> tuple[grpc.StatusCode, str]:
        return refusal(self.caller.prediction.Predict, message)
