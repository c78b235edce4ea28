"""The results of images, and of the run, when a call fails."""

import gc
import os
import traceback

import grpc
import numpy as np
import pytest

import hubserve
from hubserve import Client
from hubserve._errors import call_error
from hubserve._images.encode import EncodedImage
from hubserve.wire.codec import PREDICT
from support import scripted_model
from support.fake_server import FakeServer, Refusal
from support.serving_messages import predict_pb2

Code = grpc.StatusCode


@pytest.mark.parametrize(
    ("code", "details", "kind", "remedy"),
    [
        (Code.UNAVAILABLE, "failed to connect to all addresses", "ServerUnavailable", "check that a model server runs"),
        (
            Code.UNAVAILABLE,
            "The batch scheduling queue to which this task ... is full",
            "ServerBusy",
            "retry later",
        ),
        (Code.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted", "ServerBusy", "retry later"),
        (Code.RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 4)", "InvalidRequest", "max_batch_bytes"),
        (Code.NOT_FOUND, "Servable not found for request: Latest(m)", "ModelNotFound", "correct the name"),
        (Code.INVALID_ARGUMENT, "Unrecognized servable version label: x", "ModelNotFound", "label"),
        (
            Code.INVALID_ARGUMENT,
            "Task size 9 is larger than maximum input batch size 8",
            "InvalidRequest",
            "max_batch_size",
        ),
        (Code.INVALID_ARGUMENT, "tensor parsing error: x", "InvalidRequest", "client.metadata()"),
        (Code.UNAUTHENTICATED, "", "AccessDenied", "give token= or tls="),
        (Code.PERMISSION_DENIED, "", "AccessDenied", "administrator"),
        (Code.UNIMPLEMENTED, "Method not found!", "NotAModelServer", "check the address"),
        (Code.INTERNAL, "broken\nin two lines", "ServerFailed", "log"),
        (Code.DATA_LOSS, "", "ServerFailed", "log"),
    ],
)
def test_each_failure_becomes_the_error_that_says_what_to_do(
    client: Client, server: FakeServer, code: grpc.StatusCode, details: str, kind: str, remedy: str
):
    def refuse(request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        raise Refusal(code, details)

    server.predict = refuse

    (result,) = client.classify([b"cat"])

    assert type(result.exception).__name__ == kind
    assert (result.exception.code, result.exception.details) == (code, details)
    assert server.target in result.error
    assert remedy in result.error
    assert code.name in result.error
    assert "\n" not in result.error
    # For a debugger, and not in the traceback.
    assert isinstance(result.exception.__context__, grpc.RpcError)
    assert "RpcError" not in "".join(traceback.format_exception(result.exception))
    assert not result.ok
    assert result.status is None


@pytest.mark.parametrize("code", list(Code))
def test_every_code_of_grpc_has_an_error(code: grpc.StatusCode):
    error = call_error(code, None, target="host:1", model="model m")

    assert isinstance(error, hubserve.CallError)
    assert "{" not in str(error)
    assert len(str(call_error(code, "word " * 1000, target="host:1", model="model m"))) < 600


def test_a_failed_batch_leaves_the_others_answered(server: FakeServer):
    def script(request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        if b"poison" in scripted_model.images_in(request):
            raise Refusal(Code.INTERNAL, "no")
        return scripted_model.classify(request)

    server.predict = script
    with Client(server.target, model="m", max_batch_size=2) as client:
        results = list(client.classify([b"a", b"b", b"c", b"poison", b"e"]))

    assert [result.label for result in results] == ["a", "b", None, None, "e"]
    assert {type(result.exception) for result in results[2:4]} == {hubserve.ServerFailed}


def test_a_server_that_is_not_there_is_the_error_of_every_image():
    with FakeServer() as gone:
        target = gone.target
    with Client(target, model="m", max_batch_size=1) as client:
        results = list(client.classify([b"a", b"b", b"c"]))

    assert [type(result.exception) for result in results] == [hubserve.ServerUnavailable] * 3
    assert [result.index for result in results] == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": np.zeros(1, np.int32)}, "2 images with status of shape [1]"),
        ({"status": np.zeros((2, 2), np.int32)}, "2 images with status of shape [2, 2]"),
        ({"class_ids": np.zeros((5, 2), np.int32)}, "2 images with class_ids of shape [5, 2]"),
        ({"labels": np.full(10, b"cat")}, "2 images with labels of shape [10]"),
        ({"scores": np.zeros((2, 4), np.float32)}, "5 class_ids an image, but not as many scores"),
    ],
)
def test_an_answer_that_does_not_fit_the_images_is_their_error(
    client: Client, server: FakeServer, change: dict, words: str
):
    outputs = {
        "status": np.zeros(2, np.int32),
        "class_ids": np.zeros((2, 5), np.int32),
        "labels": np.full((2, 5), b"cat"),
        "scores": np.zeros((2, 5), np.float32),
    }
    server.predict = lambda request: scripted_model.respond(request, **(outputs | change))

    results = list(client.classify([b"a", b"b"]))

    assert [type(result.exception) for result in results] == [hubserve.MalformedAnswer] * 2
    assert words in results[0].error


def test_failed_results_do_not_keep_the_images_in_memory(server: FakeServer):
    def refuse(request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        raise Refusal(Code.INTERNAL, "no")

    server.predict = refuse
    images = {os.urandom(1000) for _ in range(6)}
    with Client(server.target, model="m", max_batch_size=2) as client:
        results = list(client.classify(images))
    gc.collect()

    assert len(results) == 6
    # An earlier test may have left images of its own, with an error whose traceback pytest keeps.
    assert not [kept for kept in gc.get_objects() if isinstance(kept, EncodedImage) and kept.data in images]


def test_a_closed_client_says_so(client: Client):
    running = client.classify(iter([b"a"] * 1000))
    next(running)
    client.close()
    client.close()

    with pytest.raises(hubserve.ClientClosed, match="keep it open"):
        client.predict({"x": [1]})
    with pytest.raises(hubserve.ClientClosed, match="keep it open"):
        list(running)


def test_a_request_of_2_gib_is_an_invalid_one(client: Client):
    with pytest.raises(hubserve.InvalidRequest, match="split it"):
        # No code writes to these zeros, so that they take no memory.
        client._server.start(PREDICT, bytes(2**31), 1).result()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"version": 1, "version_label": "stable"}, "give one of them"),
        ({"model": ""}, "the model's name"),
        ({"target": "http://localhost:8500"}, "not 'http://localhost:8500'"),
        ({"target": ""}, "gRPC target"),
        ({"timeout": 0}, "timeout must be more than 0"),
        ({"max_batch_size": 0}, "max_batch_size must be more than 0"),
        ({"max_batch_bytes": -1}, "max_batch_bytes must be more than 0, not -1"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict, words: str):
    with pytest.raises(hubserve.UsageError, match=words):
        Client(**{"target": "localhost:8500", "model": "m"} | arguments)
