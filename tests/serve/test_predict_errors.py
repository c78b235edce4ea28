import grpc
import numpy as np
import pytest
from google.protobuf import wrappers_pb2
from tensorflow_serving.apis import inference_pb2, model_management_pb2, predict_pb2, regression_pb2

from serve.calls import Caller, request

Code = grpc.StatusCode
PAIR = np.float32([[1, 2]])


def refusal(call, message) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(message)
    return caught.value.code(), caught.value.details()


def with_spec(**fields) -> predict_pb2.PredictRequest:
    message = request(image_bytes=[b"x"])
    for field, value in fields.items():
        if field == "version":
            message.model_spec.version.CopyFrom(wrappers_pb2.Int64Value(value=value))
        else:
            setattr(message.model_spec, field, value)
    return message


def with_filter(*aliases: str) -> predict_pb2.PredictRequest:
    message = request(image_bytes=[b"x"])
    message.output_filter.extend(aliases)
    return message


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        (predict_pb2.PredictRequest(), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        (with_spec(name=""), Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (with_spec(name="nope"), Code.NOT_FOUND, "Servable not found for request: Latest(nope)"),
        (with_spec(version=9), Code.NOT_FOUND, "Servable not found for request: Specific(toy, 9)"),
        (with_spec(version_label="new"), Code.INVALID_ARGUMENT, "Unrecognized servable version label: new"),
        (with_spec(signature_name="nope"), Code.FAILED_PRECONDITION, 'Serving signature key "nope" not found.'),
        (
            request("add", a=PAIR, c=PAIR, d=PAIR),
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 3!=2 len({a,c,d}) != len({a,b}). "
            "Sent extra: {c,d}. Missing but required: {b}.",
        ),
        (
            request("add"),
            Code.INVALID_ARGUMENT,
            "input size does not match signature: 0!=2 len({}) != len({a,b}). "
            "Sent extra: {}. Missing but required: {a,b}.",
        ),
        (
            request(x=[b"x"]),
            Code.INVALID_ARGUMENT,
            "Signature input alias: image_bytes(feed name: serving_default_image_bytes:0) not found in request and no "
            "default value provided. Inputs expected to be in the request {x}, or default input alias set: ",
        ),
        (
            with_filter("nope"),
            Code.INVALID_ARGUMENT,
            "output tensor alias not found in signature: nope "
            "Outputs expected to be in the set {class_ids,labels,scores,status}.",
        ),
        (with_filter("scores", "scores"), Code.INVALID_ARGUMENT, "duplicate output tensor alias: scores"),
        (request(image_bytes=PAIR), Code.INVALID_ARGUMENT, "Expects arg[0] to be string but float is provided"),
        (
            request("add", a=PAIR, b=np.int32([[1, 2]])),
            Code.INVALID_ARGUMENT,
            "Expects arg[1] to be float but int32 is provided",
        ),
        (
            request("add", a=PAIR, b=np.float32([[1, 2, 3]])),
            Code.INVALID_ARGUMENT,
            "Tensor add_b:0 expects shape (None, 2) but (1, 3) is provided",
        ),
    ],
    ids=lambda value: value.name if isinstance(value, grpc.StatusCode) else None,
)
def test_a_request_that_does_not_fit_is_refused_as_tf_serving_refuses_it(caller: Caller, message, code, words):
    assert refusal(caller.prediction.Predict, message) == (code, words)


def test_a_failing_op_is_told_in_tensorflows_words_without_this_process_stack(caller: Caller):
    code, words = refusal(caller.prediction.Predict, request("failing", image_bytes=[b"x"]))
    assert code is Code.INVALID_ARGUMENT
    assert words.startswith("assertion failed: [no such image]\n\t [[{{")
    assert "most recent call last" not in words


def test_tensors_of_different_lengths_get_tensorflows_own_error(caller: Caller):
    code, words = refusal(caller.prediction.Predict, request("add", a=np.ones([2, 2], "f"), b=np.ones([3, 2], "f")))
    assert code is Code.INVALID_ARGUMENT
    assert "Incompatible shapes: [2,2] vs. [3,2]" in words


def test_a_tensor_that_claims_more_values_than_a_message_can_hold_is_refused(caller: Caller):
    message = request("add", a=PAIR, b=PAIR)
    message.inputs["b"].tensor_shape.dim[0].size = 2**40
    assert refusal(caller.prediction.Predict, message) == (Code.INVALID_ARGUMENT, "tensor parsing error: b")


def test_long_words_are_cut_as_tf_serving_cuts_them(caller: Caller):
    code, words = refusal(caller.prediction.Predict, request("s" * 3000, image_bytes=[b"x"]))
    assert code is Code.FAILED_PRECONDITION
    assert words == 'Serving signature key "' + "s" * (1024 - 23) + "...TRUNCATED"


def test_rpcs_left_to_tf_serving_are_unimplemented(caller: Caller):
    calls = (
        (caller.prediction.Regress, regression_pb2.RegressionRequest()),
        (caller.prediction.MultiInference, inference_pb2.MultiInferenceRequest()),
        (caller.models.HandleReloadConfigRequest, model_management_pb2.ReloadConfigRequest()),
    )
    words = "The embedded engine does not have this RPC; TF Serving has"
    assert [refusal(*call) for call in calls] == [(Code.UNIMPLEMENTED, words)] * 3
