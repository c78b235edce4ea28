import numpy as np
import tensorflow as tf

from hubserve_serve import EmbeddedServer
from serve.calls import Caller, calling, request
from serve.toys import model_dir


def test_the_default_signature_answers_from_restored_variables_and_tables(caller: Caller):
    answer = caller.predict(image_bytes=[b"even", b"odd", b""])
    assert answer["status"].tolist() == [0, 0, 1]
    assert answer["class_ids"].tolist() == [[0, 1], [1, 0], [-1, -1]]
    assert answer["labels"].tolist() == [[b"cat", b"dog"], [b"dog", b"cat"], [b"", b""]]
    assert answer["scores"].tolist() == [[0.5, 0.25], [0.5, 0.25], [0.0, 0.0]]


def test_a_named_signature_is_run(caller: Caller):
    a, b = np.float32([[1, 2], [3, 4]]), np.float32([[10, 20], [30, 40]])
    assert caller.predict("add", a=a, b=b)["sum"].tolist() == [[11, 22], [33, 44]]


def test_the_answer_names_the_resolved_version_and_signature(caller: Caller):
    response = caller.prediction.Predict(request(image_bytes=[b"x"]))
    assert response.model_spec.name == "toy"
    assert response.model_spec.version.value == 3
    assert response.model_spec.signature_name == "serving_default"


def test_a_version_asked_for_by_number_answers(caller: Caller):
    message = request(image_bytes=[b"x"])
    message.model_spec.version.value = 3
    assert caller.prediction.Predict(message).model_spec.version.value == 3


def test_an_older_version_can_be_served_under_another_name(toy, tmp_path):
    with (
        EmbeddedServer(model_dir(toy, tmp_path / "toy", 1, 3), version=1, name="other") as server,
        calling(server.target) as caller,
    ):
        response = caller.prediction.Predict(request(model="other", image_bytes=[b"x"]))
    assert response.model_spec.name == "other"
    assert response.model_spec.version.value == 1


def test_only_the_filtered_outputs_are_sent(caller: Caller):
    message = request(image_bytes=[b"x"])
    message.output_filter.extend(["scores", "status"])
    assert set(caller.prediction.Predict(message).outputs) == {"scores", "status"}


def test_numbers_come_in_their_typed_fields(caller: Caller):
    outputs = caller.prediction.Predict(request(image_bytes=[b"x"])).outputs
    assert list(outputs["scores"].float_val) == [0.5, 0.25]
    assert not outputs["scores"].tensor_content
    assert list(outputs["class_ids"].int_val) == [1, 0]


def test_zero_bytes_at_the_end_of_an_image_are_kept(caller: Caller):
    assert caller.predict("echo", image_bytes=[b"a\0\0", b"\0"])["echo"].tolist() == [b"a\0\0", b"\0"]


def test_an_empty_request_gets_an_empty_answer_of_the_right_width(caller: Caller):
    assert caller.predict(image_bytes=[])["scores"].shape == (0, 2)


def test_a_request_larger_than_grpcs_default_limit_is_answered(caller: Caller):
    image = bytes(5 * 2**20)
    assert caller.predict("echo", image_bytes=[image])["echo"].tolist() == [image]


def test_numbers_sent_as_tensor_content_are_read(caller: Caller):
    message = request("add", a=np.float32([[1, 2]]), b=np.float32([[1, 1]]))
    message.inputs["a"].CopyFrom(tf.make_tensor_proto(np.float32([[3, 4]])))
    assert message.inputs["a"].tensor_content
    assert tf.make_ndarray(caller.prediction.Predict(message).outputs["sum"]).tolist() == [[4, 5]]
