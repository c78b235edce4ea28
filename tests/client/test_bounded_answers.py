"""Answers of a few bytes that claim gigabytes, and impossible shapes: `MalformedAnswer` for every verb."""

import asyncio
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from client.shells import SHELLS, call
from hubserve import AsyncClient, Client, MalformedAnswer
from hubserve.testing import FakeServer
from hubserve.wire import tensor_pb2
from hubserve.wire.metadata_pb2 import GetModelMetadataResponse, SignatureDefMap
from hubserve.wire.predict_pb2 import PredictResponse
from hubserve.wire.tensor_pb2 import TensorProto
from support.bytes_server import BytesServer

# What reading an answer of some bytes may take.
BOUND = 64 * 2**20
SHAPES = [
    [10**8],
    [2**31],
    [2**40],
    [2**62, 2**62],
    [-1],
    [-4],
    [-2, -2],
    [-1, -1],
    [0, -1],
    [0, 2**62, 2**62],
    [-(2**63)],
    [1] * 40,
    [2**21],
    [65536, 65536],
]
TYPES = {
    tensor_pb2.DT_FLOAT: "float_val",
    tensor_pb2.DT_DOUBLE: "double_val",
    tensor_pb2.DT_HALF: "half_val",
    tensor_pb2.DT_BFLOAT16: "half_val",
    tensor_pb2.DT_INT8: "int_val",
    tensor_pb2.DT_INT64: "int64_val",
    tensor_pb2.DT_UINT64: "uint64_val",
    tensor_pb2.DT_BOOL: "bool_val",
    tensor_pb2.DT_STRING: "string_val",
    tensor_pb2.DT_COMPLEX64: "scomplex_val",
    tensor_pb2.DT_COMPLEX128: "dcomplex_val",
}


def put(tensor: TensorProto, dtype: int, shape: list[int]) -> None:
    """A tensor that claims the shape, and holds at most one value."""
    tensor.dtype = dtype
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    if dtype not in (tensor_pb2.DT_COMPLEX64, tensor_pb2.DT_COMPLEX128):
        getattr(tensor, TYPES[dtype]).append(b"x" if dtype == tensor_pb2.DT_STRING else 1)


def in_little_memory(work: Callable[[], Any]) -> Any:
    tracemalloc.start()
    try:
        return work()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < BOUND, f"{peak / 2**20:.0f} MiB"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_predict_calls_a_shape_that_it_cannot_believe_malformed(shell: str, shape: list[int]) -> None:
    with FakeServer() as server:
        for dtype in TYPES if shell == "threads" else [tensor_pb2.DT_FLOAT]:
            response = PredictResponse()
            put(response.outputs["x"], dtype, shape)
            server.then(response.SerializeToString())
        for _ in TYPES if shell == "threads" else [None]:
            with pytest.raises(MalformedAnswer, match="shape"):
                in_little_memory(lambda: call(shell, server.target, "predict", {"a": [1]}, options={"retry": None}))


def test_many_outputs_share_one_bound() -> None:
    response = PredictResponse()
    for number in range(100):
        put(response.outputs[f"x{number}"], tensor_pb2.DT_DOUBLE, [2**19])
    with FakeServer() as server:
        server.then(response.SerializeToString())
        with pytest.raises(MalformedAnswer, match="1,048,576 values"):
            in_little_memory(lambda: call("threads", server.target, "predict", {"a": [1]}))


def test_a_shape_of_unknown_rank_is_malformed() -> None:
    response = PredictResponse()
    put(response.outputs["x"], tensor_pb2.DT_FLOAT, [])
    response.outputs["x"].tensor_shape.unknown_rank = True
    with FakeServer() as server:
        server.then(response.SerializeToString())
        with pytest.raises(MalformedAnswer, match="shape unknown"):
            call("threads", server.target, "predict", {"a": [1]})


def test_a_tensor_that_stands_for_one_value_repeated_is_filled_up() -> None:
    response = PredictResponse()
    put(response.outputs["ones"], tensor_pb2.DT_FLOAT, [1000, 1000])
    put(response.outputs["words"], tensor_pb2.DT_STRING, [2, 3])
    response.outputs["zeros"].dtype = tensor_pb2.DT_INT64
    response.outputs["zeros"].tensor_shape.dim.add(size=5)
    with FakeServer() as server:
        server.then(response.SerializeToString())
        answer = call("threads", server.target, "predict", {"a": [1]})
    assert np.array_equal(answer["ones"], np.ones((1000, 1000), np.float32))
    assert answer["words"].tolist() == [[b"x"] * 3] * 2
    assert answer["zeros"].tolist() == [0] * 5


def test_lengths_of_packed_strings_that_never_end_are_malformed() -> None:
    response = PredictResponse()
    tensor = response.outputs["x"]
    tensor.dtype = tensor_pb2.DT_STRING
    tensor.tensor_shape.dim.add(size=1)
    tensor.tensor_content = b"\xff" * 2**20
    with FakeServer() as server:
        server.then(response.SerializeToString())
        with pytest.raises(MalformedAnswer):
            in_little_memory(lambda: call("threads", server.target, "predict", {"a": [1]}))


def image_answer(kind: str, columns: int) -> bytes:
    """An answer for one image with that many classes, or a vector of that length."""
    response = PredictResponse()
    response.outputs["status"].dtype = tensor_pb2.DT_INT32
    response.outputs["status"].tensor_shape.dim.add(size=1)
    wide = (
        {"feature_vector": tensor_pb2.DT_FLOAT}
        if kind == "features"
        else {"class_ids": tensor_pb2.DT_INT64, "labels": tensor_pb2.DT_STRING, "scores": tensor_pb2.DT_FLOAT}
    )
    for name, dtype in wide.items():
        put(response.outputs[name], dtype, [1, columns])
    return response.SerializeToString()


@pytest.mark.parametrize("kind", ["classify", "features"])
@pytest.mark.parametrize("columns", [2**20, 2**31, 2**62, -1])
def test_images_and_batchers_get_it_as_the_error_of_their_images(kind: str, columns: int) -> None:
    with FakeServer() as server, Client(server.target, model="m", retry=None) as client:
        verb, batcher = getattr(client, kind), getattr(client, f"{kind}_batcher")
        server.then(image_answer(kind, columns + (kind == "features")), times=2)
        (result,) = in_little_memory(lambda: list(verb([b"image"])))
        assert isinstance(result.exception, MalformedAnswer)
        with batcher() as asking:
            assert isinstance(asking.ask(b"image").exception, MalformedAnswer)

    async def run(target: str) -> None:
        async with AsyncClient(target, model="m", retry=None) as client:
            results = [result async for result in getattr(client, kind)([b"image"])]
            assert isinstance(results[0].exception, MalformedAnswer)
            async with getattr(client, f"{kind}_batcher")() as asking:
                assert isinstance((await asking.ask(b"image")).exception, MalformedAnswer)

    with FakeServer() as server:
        server.then(image_answer(kind, columns + (kind == "features")), times=2)
        asyncio.run(run(server.target))


def metadata(dtype: int, shape: list[int]) -> bytes:
    """A description of one signature with one output."""
    signatures = SignatureDefMap()
    signature = signatures.signature_def["serving_default"]
    signature.inputs["x"].dtype = tensor_pb2.DT_FLOAT
    signature.inputs["x"].tensor_shape.dim.add(size=-1)
    signature.outputs["y"].dtype = dtype
    for size in shape:
        signature.outputs["y"].tensor_shape.dim.add(size=size)
    response = GetModelMetadataResponse()
    response.metadata["signature_def"].value = signatures.SerializeToString()
    return response.SerializeToString()


@pytest.mark.parametrize("shell", SHELLS)
def test_predict_of_no_rows_refuses_metadata_that_no_array_fits(shell: str) -> None:
    empty = {"x": np.zeros((0,), np.float32)}
    with BytesServer() as server:
        for dtype, shape in (
            (tensor_pb2.DT_FLOAT, [-1, 2**62, 2**62]),
            (tensor_pb2.DT_FLOAT, [-1] + [2] * 70),
            (9999, [-1, 3]),
            (tensor_pb2.DT_INVALID, [-1]),
        ):
            server.answers["GetModelMetadata"] = metadata(dtype, shape)
            with pytest.raises(MalformedAnswer, match="not a possible array"):
                call(shell, server.target, "predict", empty)
        server.answers["GetModelMetadata"] = metadata(tensor_pb2.DT_FLOAT, [-1, 3])
        assert call(shell, server.target, "predict", empty)["y"].shape == (0, 3)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("verb", ["metadata", "status"])
@pytest.mark.parametrize("answer", [b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\x0a"])
def test_metadata_and_status_that_are_not_messages_are_malformed(shell: str, verb: str, answer: bytes) -> None:
    with BytesServer() as server:
        server.answers = {"GetModelMetadata": answer, "GetModelStatus": answer}
        with pytest.raises(MalformedAnswer):
            call(shell, server.target, verb)
