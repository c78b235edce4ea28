import grpc
import numpy as np
from tensorflow_serving.apis import inference_pb2, model_management_pb2, regression_pb2

from conformance.subject import refusal
from serve.calls import Caller, request, status_request

Code = grpc.StatusCode
PAIR = np.float32([[1, 2]])


def test_an_input_of_another_shape_is_named_with_both_shapes(caller: Caller):
    message = request("subtract", a=PAIR, b=np.float32([[1, 2, 3]]))
    words = "Tensor subtract_b:0 expects shape (None, 2) but (1, 3) is provided"
    assert refusal(caller.prediction.Predict, message) == (Code.INVALID_ARGUMENT, words)


def test_a_failing_op_is_reported_without_this_process_stack(caller: Caller):
    _, words = refusal(caller.prediction.Predict, request("failing", image_bytes=[b"x"]))
    assert "no such image" in words
    assert "most recent call last" not in words


def test_a_tensor_that_claims_more_values_than_a_message_can_hold_is_refused(caller: Caller):
    message = request("subtract", a=PAIR, b=PAIR)
    message.inputs["b"].tensor_shape.dim[0].size = 2**40
    assert refusal(caller.prediction.Predict, message) == (Code.INVALID_ARGUMENT, "tensor parsing error: b")


def test_rpcs_left_to_tf_serving_are_unimplemented(caller: Caller):
    calls = (
        (caller.prediction.Regress, regression_pb2.RegressionRequest()),
        (caller.prediction.MultiInference, inference_pb2.MultiInferenceRequest()),
        (caller.models.HandleReloadConfigRequest, model_management_pb2.ReloadConfigRequest()),
    )
    words = "The embedded engine does not have this RPC; TF Serving has"
    assert [refusal(*call) for call in calls] == [(Code.UNIMPLEMENTED, words)] * 3


def test_a_call_with_another_name_reports_the_name_that_exists(caller: Caller):
    message = request("echo", model="typo", image_bytes=[b"x"])
    words = "Servable not found for request: Latest(typo); this server has toy"
    assert refusal(caller.prediction.Predict, message) == (Code.NOT_FOUND, words)
    words = "Could not find any versions of model typo; this server has toy"
    assert refusal(caller.models.GetModelStatus, status_request("typo")) == (Code.NOT_FOUND, words)
