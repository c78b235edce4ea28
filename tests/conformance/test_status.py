"""GetModelStatus: the states of a model's versions (release 2.20.0: `model_servers/get_model_status_impl.cc`)."""

import grpc
import pytest
from tensorflow_serving.apis import get_model_status_pb2

from conformance.subject import Subject, refusal
from serve.calls import PATIENCE, status_request

NOT_FOUND = grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("named", [False, True], ids=["all versions", "the version named"])
def test_a_served_version_is_available(subject: Subject, named: bool):
    message = status_request(subject.model, subject.version if named else None)
    entries = subject.caller.models.GetModelStatus(message, timeout=PATIENCE).model_version_status
    (entry,) = [entry for entry in entries if entry.version == subject.version]
    assert entry.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert entry.HasField("status")
    assert (entry.status.error_code, entry.status.error_message) == (0, "")


def test_a_label_is_ignored(subject: Subject):
    message = status_request(subject.model)
    message.model_spec.version_label = "no-such-label"
    versions = subject.caller.models.GetModelStatus(message, timeout=PATIENCE).model_version_status
    assert subject.version in [entry.version for entry in versions]


def test_no_model_spec(subject: Subject):
    """get_model_status_impl.cc."""
    message = get_model_status_pb2.GetModelStatusRequest()
    words = "Missing ModelSpec"
    assert refusal(subject.caller.models.GetModelStatus, message) == (grpc.StatusCode.INVALID_ARGUMENT, words)


def test_a_model_that_is_not_served(subject: Subject):
    """get_model_status_impl.cc."""
    words = "Could not find any versions of model no-such-model"
    code, said = refusal(subject.caller.models.GetModelStatus, status_request("no-such-model"))
    # The embedded engine goes on with the name that it has.
    assert (code, said.partition(";")[0]) == (NOT_FOUND, words)


def test_a_version_that_is_not_served(subject: Subject):
    """get_model_status_impl.cc."""
    words = f"Could not find version 987654321 of model {subject.model}"
    message = status_request(subject.model, 987654321)
    assert refusal(subject.caller.models.GetModelStatus, message) == (NOT_FOUND, words)
