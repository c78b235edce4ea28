"""Answers that are messages but make no sense: an error of their own images only."""

import asyncio
import math
from collections.abc import Callable

import pytest

from client.shells import SHELLS, classify
from hubserve import AsyncClient, Client, Features, MalformedAnswer
from hubserve.testing import FakeServer
from hubserve.wire import tensor_pb2
from hubserve.wire.predict_pb2 import PredictResponse
from hubserve.wire.tensor_pb2 import TensorProto


def answer() -> PredictResponse:
    """A correct class for one image."""
    response = PredictResponse()
    for name, dtype, rank in (
        ("status", tensor_pb2.DT_INT32, 1),
        ("class_ids", tensor_pb2.DT_INT32, 2),
        ("labels", tensor_pb2.DT_STRING, 2),
        ("scores", tensor_pb2.DT_FLOAT, 2),
    ):
        tensor = response.outputs[name]
        tensor.dtype = dtype
        for _ in range(rank):
            tensor.tensor_shape.dim.add(size=1)
    return response


def retype(name: str, dtype: tensor_pb2.DataType, field: str, value: object) -> Callable[[PredictResponse], None]:
    def change(response: PredictResponse) -> None:
        response.outputs[name].dtype = dtype
        getattr(response.outputs[name], field).append(value)

    return change


def widen(columns: int) -> Callable[[PredictResponse], None]:
    def change(response: PredictResponse) -> None:
        for name in ("class_ids", "labels", "scores"):
            response.outputs[name].tensor_shape.dim[1].size = columns

    return change


NONSENSE = {
    "labels are numbers": retype("labels", tensor_pb2.DT_INT64, "int64_val", 5),
    "class_ids are text": retype("class_ids", tensor_pb2.DT_STRING, "string_val", b"x"),
    "class_ids are not finite": retype("class_ids", tensor_pb2.DT_FLOAT, "float_val", math.nan),
    "scores are text": retype("scores", tensor_pb2.DT_STRING, "string_val", b"x"),
    "status is text": retype("status", tensor_pb2.DT_STRING, "string_val", b"x"),
    "a terabyte of classes": widen(2**40),
    "fewer than no classes": widen(-1),
}
pytestmark = pytest.mark.parametrize("shell", SHELLS)


def features(shell: str, target: str) -> list[Features]:
    options = {"model": "m", "timeout": 20, "max_batch_size": 1, "concurrency": 1}
    if shell == "threads":
        with Client(target, **options) as client:
            return list(client.features([b"first", b"second"]))

    async def run() -> list[Features]:
        async with AsyncClient(target, **options) as client:
            return [result async for result in client.features([b"first", b"second"])]

    return asyncio.run(run())


def nonsense(name: str) -> bytes:
    response = answer()
    NONSENSE[name](response)
    return response.SerializeToString()


@pytest.mark.parametrize("name", NONSENSE)
def test_classes_that_make_no_sense_are_the_error_of_their_images_and_the_others_are_answered(shell: str, name: str):
    with FakeServer() as server:
        server.then(nonsense(name))
        results = classify(shell, server.target, [b"first", b"second"], max_batch_size=1, concurrency=1)

    assert isinstance(results[0].exception, MalformedAnswer)
    assert results[1].label == "second"


@pytest.mark.parametrize("dtype", [tensor_pb2.DT_STRING, tensor_pb2.DT_INT64, tensor_pb2.DT_COMPLEX64])
def test_feature_vectors_of_another_type_are_the_error_of_their_images(shell: str, dtype: tensor_pb2.DataType):
    response = PredictResponse()
    response.outputs["status"].CopyFrom(answer().outputs["status"])
    vector: TensorProto = response.outputs["feature_vector"]
    vector.dtype = dtype
    for _ in range(2):
        vector.tensor_shape.dim.add(size=1)
    with FakeServer(features=lambda image: [1.0]) as server:
        server.then(response.SerializeToString())
        results = features(shell, server.target)

    assert [type(result.exception) for result in results] == [MalformedAnswer, type(None)]
