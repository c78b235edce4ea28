import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from hubserve import Client, DeadlineExceeded, InvalidRequest, UsageError
from support import scripted_model
from support.fake_server import FakeServer, Refusal


def doubled(request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    return scripted_model.respond(
        request, **{name: tf.make_ndarray(tensor) * 2 for name, tensor in request.inputs.items()}
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


def test_a_batch_without_rows_is_refused_and_not_sent(client: Client, server: FakeServer):
    with pytest.raises(UsageError, match="no rows"):
        client.predict({"images": np.zeros((0, 8, 8, 3), np.float32)})
    assert server.requests == []


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
