"""GetModelMetadata: the inputs and outputs of a model.

Release 2.20.0: `servables/tensorflow/get_model_metadata_impl.cc`, `core/basic_manager.cc`.
"""

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2

from conformance.subject import Subject, refusal

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def metadata_request(model: str, *fields: str) -> get_model_metadata_pb2.GetModelMetadataRequest:
    message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    message.model_spec.name = model
    return message


def test_the_answer_names_the_model_and_the_version_but_no_signature(subject: Subject):
    spec = subject.metadata.model_spec
    assert (spec.name, spec.signature_name) == (subject.model, "")
    assert subject.predict(subject.request()).model_spec.version.value == spec.version.value


def test_the_signatures_are_listed_with_the_init_op_among_them(subject: Subject):
    assert list(subject.metadata.metadata) == ["signature_def"]
    assert "__saved_model_init_op" in subject.signatures
    assert sorted(subject.predict(subject.request()).outputs) == subject.outputs


def test_no_model_spec(subject: Subject):
    """get_model_metadata_impl.cc."""
    message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    assert refusal(subject.caller.prediction.GetModelMetadata, message) == (INVALID, "Missing ModelSpec")


def test_no_field(subject: Subject):
    """get_model_metadata_impl.cc."""
    words = "GetModelMetadataRequest must specify at least one metadata_field"
    message = metadata_request(subject.model)
    assert refusal(subject.caller.prediction.GetModelMetadata, message) == (INVALID, words)


def test_a_field_that_there_is_not(subject: Subject):
    """get_model_metadata_impl.cc."""
    message = metadata_request(subject.model, "graph")
    words = "Metadata field graph is not supported"
    assert refusal(subject.caller.prediction.GetModelMetadata, message) == (INVALID, words)


def test_a_model_that_is_not_served(subject: Subject):
    """basic_manager.cc, GetUntypedServableHandle."""
    message = metadata_request("no-such-model", "signature_def")
    words = "Servable not found for request: Latest(no-such-model)"
    code, said = refusal(subject.caller.prediction.GetModelMetadata, message)
    # The embedded engine goes on with the name that it has.
    assert (code, said.partition(";")[0]) == (grpc.StatusCode.NOT_FOUND, words)
