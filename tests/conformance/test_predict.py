"""Predict: the answer has the requested outputs (release 2.20.0: `predict_util.cc`, `predict_impl.cc`)."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from conformance.subject import DEFAULT, IMAGES, Subject
from serve.calls import Caller, request


def arrays(response) -> dict[str, np.ndarray]:
    return {alias: tf.make_ndarray(proto) for alias, proto in response.outputs.items()}


def assert_same(one, other) -> None:
    assert set(one) == set(other)
    for alias, array in one.items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array, other[alias], atol=1e-4)
        else:
            np.testing.assert_array_equal(array, other[alias])


def test_every_output_of_the_default_signature_has_a_row_for_each_image(subject: Subject):
    outputs = subject.predict(subject.request(IMAGES)).outputs
    assert sorted(outputs) == subject.outputs
    for alias, proto in outputs.items():
        assert proto.dtype == subject.signatures[DEFAULT].outputs[alias].dtype
        assert proto.tensor_shape.dim[0].size == len(IMAGES)


def test_an_image_has_the_same_answer_alone_and_among_others(subject: Subject):
    together = arrays(subject.predict(subject.request(IMAGES)))
    for row, image in enumerate(IMAGES):
        alone = arrays(subject.predict(subject.request([image])))
        assert_same({alias: array[row : row + 1] for alias, array in together.items()}, alone)


def test_a_named_signature_is_run(subject: Subject):
    named = [
        name
        for name, signature in subject.signatures.items()
        if name != DEFAULT and list(signature.inputs) == [subject.alias] and set(signature.outputs) - {"status"}
    ]
    # The toy has others too, which fail or wait on purpose.
    name = next((name for name in ("logits", "echo", *named) if name in named), None)
    if name is None:
        pytest.skip("needs a model with a second signature for images")
    response = subject.predict(subject.request(signature=name))
    assert response.model_spec.signature_name == name
    assert set(response.outputs) == set(subject.signatures[name].outputs)


def test_no_signature_name_means_the_default_one(subject: Subject):
    unnamed, named = subject.predict(subject.request()), subject.predict(subject.request(signature=DEFAULT))
    assert_same(arrays(unnamed), arrays(named))
    assert unnamed.model_spec.signature_name == named.model_spec.signature_name == DEFAULT


def test_only_the_filtered_outputs_are_sent(subject: Subject):
    message = subject.request(IMAGES[:2])
    every = arrays(subject.predict(message))
    wanted = subject.outputs[:2]
    message.output_filter.extend(wanted)
    assert_same(arrays(subject.predict(message)), {alias: every[alias] for alias in wanted})


def test_the_answer_names_the_model_and_the_version_that_answered(subject: Subject):
    spec = subject.predict(subject.request()).model_spec
    assert (spec.name, spec.version.value) == (subject.model, subject.version)


def test_a_version_asked_for_by_number_answers(subject: Subject):
    message = subject.request()
    message.model_spec.version.value = subject.version
    assert subject.predict(message).model_spec.version.value == subject.version


def test_an_image_larger_than_grpcs_default_limit_is_answered(subject: Subject):
    # A JPEG reader stops at the image's end, so the file may be of any length.
    large, small = IMAGES[0] + bytes(5 * 2**20), IMAGES[0] + bytes(2)
    assert_same(arrays(subject.predict(subject.request([large]))), arrays(subject.predict(subject.request([small]))))


def test_numbers_are_read_from_their_typed_field_and_from_tensor_content(subject: Subject):
    name, shapes = subject.numeric
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = subject.model, name
    rng = np.random.default_rng(0)
    for alias, shape in shapes.items():
        message.inputs[alias].CopyFrom(tf.make_tensor_proto(rng.random(shape, np.float32)))
        assert message.inputs[alias].tensor_content
    packed = arrays(subject.predict(message))
    for tensor in message.inputs.values():
        tensor.float_val.extend(tf.make_ndarray(tensor).ravel())
        tensor.ClearField("tensor_content")
    assert_same(packed, arrays(subject.predict(message)))
    # One value stands for a whole tensor of them (Tensor::FromProto).
    for tensor in message.inputs.values():
        tensor.float_val[:] = [0.5]
    filled = arrays(subject.predict(message))
    for alias, shape in shapes.items():
        message.inputs[alias].CopyFrom(tf.make_tensor_proto(np.full(shape, 0.5, np.float32)))
    assert_same(filled, arrays(subject.predict(message)))


def test_answers_come_in_their_typed_fields(toy_caller: Caller):
    """Unless --enable_serialization_as_tensor_content is given (predict_util.cc, PostProcessPredictionResult)."""
    outputs = toy_caller.prediction.Predict(request(image_bytes=[b"x"])).outputs
    assert list(outputs["scores"].float_val) == [0.5, 0.25]
    assert list(outputs["class_ids"].int_val) == [1, 0]
    assert list(outputs["labels"].string_val) == [b"dog", b"cat"]
    assert not any(proto.tensor_content for proto in outputs.values())


def test_variables_and_tables_are_restored(toy_caller: Caller):
    answer = toy_caller.predict(image_bytes=[b"even", b"odd", b""])
    assert answer["status"].tolist() == [0, 0, 1]
    assert answer["labels"].tolist() == [[b"cat", b"dog"], [b"dog", b"cat"], [b"", b""]]
    assert answer["scores"].tolist() == [[0.5, 0.25], [0.5, 0.25], [0.0, 0.0]]


def test_several_inputs_are_fed_each_to_its_own_tensor(toy_caller: Caller):
    a, b = np.float32([[1, 2], [3, 4]]), np.float32([[10, 20], [30, 40]])
    assert toy_caller.predict("subtract", a=a, b=b)["difference"].tolist() == (a - b).tolist()


def test_zero_bytes_at_the_end_of_an_image_are_kept(toy_caller: Caller):
    assert toy_caller.predict("echo", image_bytes=[b"a\0\0", b"\0"])["echo"].tolist() == [b"a\0\0", b"\0"]


def test_no_rows_get_no_rows(toy_caller: Caller):
    assert toy_caller.predict(image_bytes=[])["scores"].shape == (0, 2)
