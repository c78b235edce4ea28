"""Predict: bad requests are refused, with TF Serving's codes and words, in its order of checks.

Release 2.20.0: `servables/tensorflow/predict_impl.cc` and `predict_util.cc`, `model_servers/server_core.cc` and
`grpc_status_util.cc`, `core/basic_manager.cc`; and TensorFlow's `cc/saved_model/util.cc`, which reads the inputs.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import wrappers_pb2
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2

from conformance.subject import DEFAULT, Subject, refusal
from serve.calls import Caller, request

Code = grpc.StatusCode
PAIR = np.float32([[1, 2]])


def with_default(toy: Path, folder: Path) -> Path:
    """The toy, whose signature `subtract` has a default for its input b: TensorFlow's Python does not write any."""
    base = shutil.copytree(toy, folder / "toy" / "1").parent
    file = base / "1" / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    signature = saved.meta_graphs[0].signature_def["subtract"]
    signature.defaults["b"].CopyFrom(tf.make_tensor_proto(PAIR))
    file.write_bytes(saved.SerializeToString())
    return base


def braced(*names: str) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def test_no_model_spec(subject: Subject):
    """predict_impl.cc, TensorflowPredictor::Predict."""
    assert subject.refusal(predict_pb2.PredictRequest()) == (Code.INVALID_ARGUMENT, "Missing ModelSpec")


def test_no_model_name(subject: Subject):
    """server_core.cc, ServableRequestFromModelSpec."""
    message = subject.request()
    message.model_spec.name = ""
    assert subject.refusal(message) == (Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")


def test_a_model_that_is_not_served(subject: Subject):
    """basic_manager.cc, GetUntypedServableHandle."""
    message = subject.request()
    message.model_spec.name = "no-such-model"
    code, words = subject.refusal(message)
    # The embedded engine goes on with the name that it has.
    assert (code, words.partition(";")[0]) == (Code.NOT_FOUND, "Servable not found for request: Latest(no-such-model)")


def test_a_version_that_is_not_served(subject: Subject):
    """basic_manager.cc, GetUntypedServableHandle."""
    message = subject.request()
    message.model_spec.version.CopyFrom(wrappers_pb2.Int64Value(value=987654321))
    words = f"Servable not found for request: Specific({subject.model}, 987654321)"
    assert subject.refusal(message) == (Code.NOT_FOUND, words)


def test_a_label_that_nothing_has(subject: Subject):
    """server_core.cc, GetModelVersionForLabel."""
    message = subject.request()
    message.model_spec.version_label = "no-such-label"
    code, words = subject.refusal(message)
    assert (code, words) in (
        (Code.INVALID_ARGUMENT, "Unrecognized servable version label: no-such-label"),
        # A server that was never given a config with labels.
        (Code.UNAVAILABLE, "Model labels does not init yet.no-such-label"),
    )


def test_a_signature_that_is_not_there(subject: Subject):
    """predict_util.cc, VerifySignature and PreProcessPrediction."""
    message = subject.request(signature="no_such_signature")
    words = 'Serving signature key "no_such_signature" not found.'
    assert subject.refusal(message) == (Code.FAILED_PRECONDITION, words)


def test_more_inputs_than_the_signature_has(subject: Subject):
    """predict_util.cc, VerifyRequestInputsSize."""
    message = subject.request()
    message.inputs["extra"].CopyFrom(message.inputs[subject.alias])
    both, one = braced(subject.alias, "extra"), braced(subject.alias)
    words = (
        f"input size does not match signature: 2!=1 len({both}) != len({one}). "
        "Sent extra: {extra}. Missing but required: {}."
    )
    assert subject.refusal(message) == (Code.INVALID_ARGUMENT, words)


def test_fewer_inputs_than_the_signature_has(subject: Subject):
    """predict_util.cc, VerifyRequestInputsSize."""
    message = subject.request()
    message.ClearField("inputs")
    one = braced(subject.alias)
    words = (
        f"input size does not match signature: 0!=1 len({{}}) != len({one}). "
        f"Sent extra: {{}}. Missing but required: {one}."
    )
    assert subject.refusal(message) == (Code.INVALID_ARGUMENT, words)


def test_an_input_under_another_name(subject: Subject):
    """TensorFlow's cc/saved_model/util.cc, GetInputValues."""
    message = subject.request()
    message.inputs["x"].CopyFrom(message.inputs.pop(subject.alias))
    feed = subject.signatures[DEFAULT].inputs[subject.alias].name
    words = (
        f"Signature input alias: {subject.alias}(feed name: {feed}) not found in request and no default value "
        "provided. Inputs expected to be in the request {x}, or default input alias set: "
    )
    assert subject.refusal(message) == (Code.INVALID_ARGUMENT, words)


def test_an_input_that_is_not_sent_has_the_signatures_default(serve: Callable[..., Caller], toy: Path, tmp_path: Path):
    """TensorFlow's cc/saved_model/util.cc, GetInputValues; predict_util.cc, VerifyRequestInputsSize."""
    caller = serve(with_default(toy, tmp_path))
    assert caller.predict("subtract", a=3 * PAIR)["difference"].tolist() == (2 * PAIR).tolist()
    assert caller.predict("subtract", a=3 * PAIR, b=2 * PAIR)["difference"].tolist() == PAIR.tolist()


def test_an_input_under_another_name_when_there_is_a_default_for_its_own(
    serve: Callable[..., Caller], toy: Path, tmp_path: Path
):
    """TensorFlow's cc/saved_model/util.cc, GetInputValues."""
    message = request("subtract", a=PAIR, x=PAIR)
    words = "Inputs contains invalid name. Used request inputs: a, request input: a,x"
    predict = serve(with_default(toy, tmp_path)).prediction.Predict
    assert refusal(predict, message) == (Code.INVALID_ARGUMENT, words)


def test_values_beyond_a_tensors_shape_are_dropped(subject: Subject):
    """TensorFlow's tensor.cc, FromProtoField: as a real TensorFlow Serving 2.20 answers, too."""
    message = subject.request()
    right = subject.predict(message).outputs
    message.inputs[subject.alias].string_val.append(b"one too many")
    assert subject.predict(message).outputs == right


def test_a_tensor_without_a_dtype(subject: Subject):
    """TensorFlow's cc/saved_model/util.cc, GetInputValues."""
    message = subject.request()
    message.inputs[subject.alias].dtype = types_pb2.DT_INVALID
    assert subject.refusal(message) == (Code.INVALID_ARGUMENT, f"tensor parsing error: {subject.alias}")


def test_an_output_that_the_signature_does_not_have(subject: Subject):
    """predict_util.cc, PreProcessPrediction."""
    message = subject.request()
    message.output_filter.append("no_such_output")
    words = (
        "output tensor alias not found in signature: no_such_output "
        f"Outputs expected to be in the set {braced(*subject.outputs)}."
    )
    assert subject.refusal(message) == (Code.INVALID_ARGUMENT, words)


def test_an_output_asked_for_twice(subject: Subject):
    """predict_util.cc, PreProcessPrediction."""
    message = subject.request()
    message.output_filter.extend(subject.outputs[:1] * 2)
    words = f"duplicate output tensor alias: {subject.outputs[0]}"
    assert subject.refusal(message) == (Code.INVALID_ARGUMENT, words)


def test_an_input_of_another_dtype(subject: Subject):
    """TensorFlow's direct_session.cc: the server itself does not look at dtypes."""
    message = request("", subject.model, **{subject.alias: PAIR[0]})
    code, words = subject.refusal(message)
    assert code is Code.INVALID_ARGUMENT
    assert "Expects arg[0] to be string but float is provided" in words


def test_the_dtype_refused_is_the_one_of_the_wrong_input(toy_caller: Caller):
    """TensorFlow's direct_session.cc."""
    message = request("subtract", a=PAIR, b=np.int32([[1, 2]]))
    words = "Expects arg[1] to be float but int32 is provided"
    assert refusal(toy_caller.prediction.Predict, message) == (Code.INVALID_ARGUMENT, words)


def test_tensors_that_the_graph_cannot_join_get_its_own_error(toy_caller: Caller):
    """TensorFlow's own words, which predict_util.cc passes on."""
    message = request("subtract", a=np.ones([2, 2], "f"), b=np.ones([3, 2], "f"))
    code, words = refusal(toy_caller.prediction.Predict, message)
    assert code is Code.INVALID_ARGUMENT
    assert "Incompatible shapes: [2,2] vs. [3,2]" in words


def test_a_failing_op_is_reported_in_tensorflows_words(toy_caller: Caller):
    """TensorFlow's own words, which predict_util.cc passes on."""
    code, words = refusal(toy_caller.prediction.Predict, request("failing", image_bytes=[b"x"]))
    assert code is Code.INVALID_ARGUMENT
    assert words.startswith("assertion failed: [no such image]\n\t [[{{")


def test_long_words_are_cut_after_1024_characters(subject: Subject):
    """grpc_status_util.cc, ToGRPCStatus."""
    code, words = subject.refusal(subject.request(signature="s" * 3000))
    assert code is Code.FAILED_PRECONDITION
    assert words == 'Serving signature key "' + "s" * (1024 - 23) + "...TRUNCATED"
