import threading

import grpc
import numpy as np
import pytest

from client.shells import SHELLS, call
from hubserve import Client, DeadlineExceeded, InvalidRequest, MalformedAnswer, UsageError, testing
from hubserve._schedule.batching import Limits
from hubserve._schedule.predict import Question
from hubserve.wire.codec import Requests
from support import scripted_model
from support.fake_server import FakeServer, Refusal
from support.serving_messages import get_model_metadata_pb2, make_ndarray, predict_pb2, types_pb2


def doubled(request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    return scripted_model.respond(
        request, **{name: make_ndarray(tensor) * 2 for name, tensor in request.inputs.items()}
    )


def test_arrays_go_in_and_arrays_come_out(client: Client, server: FakeServer):
    server.predict = doubled
    images = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)

    outputs = client.predict({"images": images, "weights": [[1], [2]]}, signature="images")

    np.testing.assert_array_equal(outputs["images"], images * 2)
    assert outputs["weights"].tolist() == [[2], [4]]
    assert server.requests[0].model_spec.signature_name == "images"
    assert not server.requests[0].output_filter


def test_only_the_outputs_named_are_asked_for(client: Client, server: FakeServer):
    client.predict({"image_bytes": [b"cat"]}, outputs=["labels", "scores"])

    assert list(server.requests[0].output_filter) == ["labels", "scores"]


def test_a_single_output_name_in_place_of_a_list_is_refused(client: Client):
    with pytest.raises(UsageError, match=r"write \['labels'\]"):
        client.predict({"image_bytes": [b"cat"]}, outputs="labels")


def test_an_answer_beyond_grpcs_own_limit_of_4_mib_is_taken(client: Client, server: FakeServer):
    server.predict = doubled
    large = np.ones((3, 2**20), np.float32)

    np.testing.assert_array_equal(client.predict({"x": large})["x"], large * 2)


@pytest.fixture
def described(server: FakeServer) -> None:
    def metadata(request: get_model_metadata_pb2.GetModelMetadataRequest) -> object:
        signatures = get_model_metadata_pb2.SignatureDefMap()
        outputs = signatures.signature_def["serving_default"].outputs
        outputs["labels"].dtype = types_pb2.DT_STRING
        outputs["labels"].tensor_shape.dim.add(size=-1)
        outputs["logits"].dtype = types_pb2.DT_BFLOAT16
        for size in (-1, 7, -1):
            outputs["logits"].tensor_shape.dim.add(size=size)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        response.metadata["signature_def"].Pack(signatures)
        return response

    server.metadata = metadata


@pytest.mark.usefixtures("described")
def test_a_batch_without_rows_is_answered_from_the_metadata_and_not_sent(client: Client, server: FakeServer):
    rows = np.zeros((0, 8, 8, 3), np.float32)

    outputs = client.predict({"images": rows})

    assert {name: (array.shape, array.dtype.name) for name, array in outputs.items()} == {
        "labels": ((0,), "object"),
        "logits": ((0, 7, 0), "float32"),
    }
    assert list(client.predict({"images": rows}, outputs=["labels"])) == ["labels"]
    assert server.requests == []


@pytest.mark.usefixtures("described")
@pytest.mark.parametrize(
    ("choice", "words"),
    [({"signature": "nope"}, "m* has serving_default"), ({"outputs": ["nope"]}, "it has labels, logits")],
)
def test_a_batch_without_rows_for_an_absent_output_is_refused(client: Client, choice: dict, words: str):
    with pytest.raises(UsageError, match=words):
        client.predict({"images": []}, **choice)


def test_a_batch_that_is_too_large_for_the_server_is_cut_and_joined(client: Client, server: FakeServer):
    def at_most_3(request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        rows = request.inputs["x"].tensor_shape.dim[0].size
        if rows > 3:
            words = f"Task size {rows} is larger than maximum input batch size 3"
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, words)
        return doubled(request)

    server.predict = at_most_3
    rows = np.arange(8)

    assert client.predict({"x": rows})["x"].tolist() == (rows * 2).tolist()
    # The limit is known now.
    assert client.predict({"x": rows[:4]})["x"].tolist() == (rows[:4] * 2).tolist()
    sizes = [request.inputs["x"].tensor_shape.dim[0].size for request in server.requests]
    assert sizes == [8, 3, 3, 2, 3, 1]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_batch_that_is_too_large_a_message_for_the_server_is_halved_and_joined(shell: str):
    def echo(signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return inputs

    numbers = np.arange(8 * 1000, dtype=np.float32).reshape(8, 1000)
    texts = [b"%d" % row * 1000 for row in range(8)]
    with testing.FakeServer(predict=echo, max_message_bytes=12_000) as server:
        outputs = call(shell, server.target, "predict", {"x": numbers, "text": texts})
        with pytest.raises(InvalidRequest, match="takes no message as large"):
            call(shell, server.target, "predict", {"x": np.zeros((1, 4000), np.float32)})

    np.testing.assert_array_equal(outputs["x"], numbers)
    assert outputs["text"].tolist() == texts
    # 40 kB in all; of the halves and quarters, only the latter are let through.
    assert len(server.requests) == 4


def test_pieces_have_no_more_rows_and_bytes_than_the_limits():
    rows = {"x": np.zeros((10, 25), np.float32), "text": [b"a" * 94] * 9 + [b"long" * 1000]}
    question = Question(Requests("m"), rows, "serving_default", None)

    def sizes(max_size: int, max_bytes: int) -> list[int]:
        return [cut.stop - cut.start for cut in question.cuts(Limits(max_size, max_bytes))]

    assert sizes(10, 10_000) == [10]
    assert sizes(4, 10_000) == [4, 4, 2]
    assert sizes(8, 400) == [2, 2, 2, 2, 1, 1]
    # A row that is larger alone goes alone.
    assert sizes(10, 1) == [1] * 10
    assert len(list(question.pieces(Limits(4, 10_000)))) == 3


def test_answers_that_are_not_row_by_row_are_not_joined():
    def summed(signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"sum": inputs["x"].sum(0, keepdims=True)}

    with (
        testing.FakeServer(predict=summed, max_message_bytes=12_000) as server,
        Client(server.target, model="m") as client,
        pytest.raises(MalformedAnswer, match="send smaller batches"),
    ):
        client.predict({"x": np.zeros((4, 1000), np.float32)})


def test_the_servers_words_about_a_wrong_signature_are_kept(client: Client, server: FakeServer):
    def refuse(request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        name = request.model_spec.signature_name
        raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')

    server.predict = refuse

    with pytest.raises(InvalidRequest, match=r"client\.metadata\(\)") as raised:
        client.predict({"x": [1]}, signature="nope")

    assert raised.value.code is grpc.StatusCode.FAILED_PRECONDITION
    assert raised.value.details == 'Serving signature key "nope" not found.'


def test_a_call_may_have_a_deadline_of_its_own(server: FakeServer):
    released = threading.Event()

    def slow(request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        released.wait(20)
        return doubled(request)

    server.predict = slow
    with Client(server.target, model="m", timeout=0.05) as client:
        with pytest.raises(DeadlineExceeded, match="longer timeout"):
            client.predict({"x": [1]})
        released.set()
        assert client.predict({"x": [1]}, timeout=20)["x"].tolist() == [2]
