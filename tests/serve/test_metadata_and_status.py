import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from serve.calls import Caller

Code = grpc.StatusCode


def metadata_request(*fields: str) -> get_model_metadata_pb2.GetModelMetadataRequest:
    message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    message.model_spec.name = "toy"
    return message


def status_request(name: str, version: int | None = None) -> get_model_status_pb2.GetModelStatusRequest:
    message = get_model_status_pb2.GetModelStatusRequest()
    message.model_spec.name = name
    if version is not None:
        message.model_spec.version.value = version
    return message


def refusal(call, message) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(message)
    return caught.value.code(), caught.value.details()


def test_metadata_tells_the_signatures_and_the_version(caller: Caller):
    response = caller.prediction.GetModelMetadata(metadata_request("signature_def"))
    assert (response.model_spec.name, response.model_spec.version.value) == ("toy", 3)
    assert response.model_spec.signature_name == ""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "add", "classify", "__saved_model_init_op"} <= set(signatures.signature_def)
    assert set(signatures.signature_def["serving_default"].outputs) == {"status", "class_ids", "labels", "scores"}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]), "Missing ModelSpec"),
        (metadata_request(), "GetModelMetadataRequest must specify at least one metadata_field"),
        (metadata_request("graph"), "Metadata field graph is not supported"),
    ],
)
def test_bad_metadata_requests_are_refused(caller: Caller, message, words):
    assert refusal(caller.prediction.GetModelMetadata, message) == (Code.INVALID_ARGUMENT, words)


@pytest.mark.parametrize("version", [None, 3])
def test_a_served_version_is_available(caller: Caller, version):
    (entry,) = caller.models.GetModelStatus(status_request("toy", version)).model_version_status
    assert (entry.version, entry.state) == (3, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
    assert entry.HasField("status")
    assert (entry.status.error_code, entry.status.error_message) == (0, "")


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (get_model_status_pb2.GetModelStatusRequest(), (Code.INVALID_ARGUMENT, "Missing ModelSpec")),
        (status_request("nope"), (Code.NOT_FOUND, "Could not find any versions of model nope")),
        (status_request("toy", 9), (Code.NOT_FOUND, "Could not find version 9 of model toy")),
    ],
)
def test_unknown_models_have_no_status(caller: Caller, message, answer):
    assert refusal(caller.models.GetModelStatus, message) == answer


@pytest.mark.parametrize("service", ["", "PredictionService", "ModelService"])
def test_health_is_serving_under_tf_servings_short_names(caller: Caller, service):
    health = health_pb2_grpc.HealthStub(caller.channel)
    answer = health.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_does_not_know_the_long_names(caller: Caller):
    message = health_pb2.HealthCheckRequest(service="tensorflow.serving.PredictionService")
    assert refusal(health_pb2_grpc.HealthStub(caller.channel).Check, message)[0] is Code.NOT_FOUND
