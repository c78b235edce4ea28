"""The server's information about a model: metadata, status, and waiting for it."""

import threading
from collections.abc import Iterator

import grpc
import pytest

from hubserve import (
    Client,
    MalformedAnswer,
    ModelNotFound,
    ModelNotReady,
    NotAModelServer,
    ServerUnavailable,
    Signature,
    TensorSpec,
    VersionState,
    VersionStatus,
)
from support.fake_server import FakeServer, Refusal
from support.serving_messages import get_model_metadata_pb2, get_model_status_pb2, types_pb2

NO_SUCH_MODEL = Refusal(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model pnasnet")


def described(request: get_model_metadata_pb2.GetModelMetadataRequest) -> object:
    assert list(request.metadata_field) == ["signature_def"]
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signatures.signature_def["__saved_model_init_op"].outputs["x"].name = "NoOp"
    signature = signatures.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    signature.inputs["image_bytes"].dtype = types_pb2.DT_STRING
    signature.inputs["image_bytes"].tensor_shape.dim.add(size=-1)
    signature.outputs["scores"].dtype = types_pb2.DT_FLOAT
    signature.outputs["scores"].tensor_shape.dim.add(size=-1)
    signature.outputs["scores"].tensor_shape.dim.add(size=5)
    signature.outputs["free"].dtype = types_pb2.DT_INT64
    signature.outputs["free"].tensor_shape.unknown_rank = True
    signature.outputs["odd"].dtype = 24  # DT_FLOAT8_E5M2, which hubserve does not know
    response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
    response.model_spec.version.value = 7
    response.metadata["signature_def"].Pack(signatures)
    return response


def states(*versions: tuple[int, str, str]) -> get_model_status_pb2.GetModelStatusResponse:
    response = get_model_status_pb2.GetModelStatusResponse()
    for version, state, error in versions:
        response.model_version_status.add(version=version, state=state, status={"error_message": error})
    return response


def one_after_the_other(*answers: object):
    """A script that gives each answer once, and repeats the last one; a refusal among them is raised."""

    def stream() -> Iterator[object]:
        yield from answers
        while True:
            yield answers[-1]

    remaining = stream()

    def script(_: object) -> object:
        answer = next(remaining)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return script


def test_metadata_tells_types_and_shapes_of_each_signature(client: Client, server: FakeServer):
    server.metadata = described

    metadata = client.metadata()

    assert (metadata.name, metadata.version) == ("pnasnet", 7)
    assert metadata.signatures == {
        "serving_default": Signature(
            inputs={"image_bytes": TensorSpec("string", (None,))},
            outputs={
                "free": TensorSpec("int64", None),
                "odd": TensorSpec("DataType 24", ()),
                "scores": TensorSpec("float32", (None, 5)),
            },
            method_name="tensorflow/serving/predict",
        )
    }


def test_metadata_that_cannot_be_read_is_a_malformed_answer(client: Client, server: FakeServer):
    broken = get_model_metadata_pb2.GetModelMetadataResponse()
    broken.metadata["signature_def"].value = b"\xff\xff"
    server.metadata = lambda _: broken

    with pytest.raises(MalformedAnswer, match="cannot be read"):
        client.metadata()


def test_status_tells_each_versions_state_the_newest_first(client: Client, server: FakeServer):
    server.status = lambda _: states((1, "END", "no such file"), (3, "LOADING", ""), (2, "AVAILABLE", ""))

    versions = client.status()

    assert versions == (
        VersionStatus(3, VersionState.LOADING, None),
        VersionStatus(2, VersionState.AVAILABLE, None),
        VersionStatus(1, VersionState.END, "no such file"),
    )
    assert [version.available for version in versions] == [False, True, False]
    assert str(versions[2]) == "version 1 is END (no such file)"


def test_waiting_ends_when_the_model_is_loaded(client: Client, server: FakeServer):
    server.status = one_after_the_other(NO_SUCH_MODEL, states((1, "LOADING", "")), states((1, "AVAILABLE", "")))

    assert client.wait_until_ready(20)[0].available


def test_waiting_begins_before_the_server_does():
    with FakeServer() as gone:
        port = gone.port
    late = FakeServer(status=lambda _: states((1, "AVAILABLE", "")), port=port)
    starting = threading.Timer(0.5, late.__enter__)
    with Client(f"127.0.0.1:{port}", model="m") as client:
        with pytest.raises(ServerUnavailable):
            client.status()
        starting.start()
        try:
            assert client.wait_until_ready(20)[0].available
        finally:
            starting.join()
            late.__exit__(None, None, None)


def test_waiting_in_vain_says_what_the_server_said_last(client: Client, server: FakeServer):
    server.status = lambda _: states((1, "LOADING", ""))
    with pytest.raises(ModelNotReady, match=r"after 0.1 s: version 1 is LOADING"):
        client.wait_until_ready(0.1)

    server.status = one_after_the_other(NO_SUCH_MODEL)
    with pytest.raises(ModelNotFound):
        client.wait_until_ready(0.1)


def test_waiting_ends_at_once_when_the_model_could_not_be_loaded(client: Client, server: FakeServer):
    server.status = one_after_the_other(states((1, "END", "bad checkpoint")), states((1, "AVAILABLE", "")))

    with pytest.raises(ModelNotReady, match=r"could not load model pnasnet \(version 1 is END \(bad checkpoint\)\)"):
        client.wait_until_ready(20)


def test_waiting_without_a_server_is_reported():
    with FakeServer() as gone:
        target = gone.target
    with Client(target, model="m") as client, pytest.raises(ServerUnavailable, match=target):
        client.wait_until_ready(0.1)


def test_waiting_does_not_go_on_where_no_waiting_helps(client: Client, server: FakeServer):
    server.status = one_after_the_other(Refusal(grpc.StatusCode.UNIMPLEMENTED, ""), states((1, "AVAILABLE", "")))

    with pytest.raises(NotAModelServer):
        client.wait_until_ready(20)
