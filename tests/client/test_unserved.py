"""A model name, version or label that a server does not serve: the error lists what the server has, if it is known."""

from typing import Any

import grpc
import pytest

from client.shells import SHELLS, call, classify
from hubserve import ModelNotFound
from hubserve.testing import FakeServer, Fault, Request
from support.fake_server import FakeServer as Scripted
from support.fake_server import Refusal

LATEST = "Servable not found for request: Latest(m)"


def failed(shell: str, target: str, verb: str, **options: Any) -> ModelNotFound:
    if verb == "classify":
        (result,) = classify(shell, target, [b"cat"], **options)
        assert isinstance(result.exception, ModelNotFound)
        return result.exception
    arguments = [{"image_bytes": [b"cat"]}] if verb == "predict" else []
    with pytest.raises(ModelNotFound) as caught:
        call(shell, target, verb, *arguments, options=options)
    return caught.value


def refusing(words: str) -> FakeServer:
    def refuse(_: Request) -> None:
        raise Fault("NOT_FOUND", words)

    return FakeServer(model="m", version=3, before=refuse)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("verb", ["classify", "predict", "metadata"])
def test_a_name_that_the_server_does_not_know_is_said_to_be_wrong_and_where_the_names_are(shell: str, verb: str):
    with FakeServer(model="pnasnet") as server:
        error = failed(shell, server.target, verb, model="pnasent")
    assert (
        f"{server.target} does not serve model pnasent, and does not know a model of that name: correct the name"
        in str(error)
    )
    assert "--model_name" in str(error)
    assert error.code is grpc.StatusCode.NOT_FOUND
    assert error.details == "Servable not found for request: Latest(pnasent)"
    assert error.details in str(error)
    assert isinstance(error.__context__, grpc.RpcError)
    assert (error.__cause__, error.__suppress_context__) == (None, True)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("verb", ["classify", "predict"])
def test_a_version_that_is_not_served_is_answered_with_those_that_are(shell: str, verb: str):
    with refusing("Servable not found for request: Specific(m, 9)") as server:
        error = failed(shell, server.target, verb, version=9)
    assert "does not serve model m, version 9; it has version 3 (AVAILABLE): correct the version or label" in str(error)


def test_a_label_that_nothing_has_is_answered_with_the_versions():
    with FakeServer(model="m", version=3) as server:
        server.then(Fault("INVALID_ARGUMENT", "Unrecognized servable version label: beta"))
        error = failed("threads", server.target, "classify", version_label="beta")
    assert "model m, version label beta; it has version 3 (AVAILABLE): correct the version or label" in str(error)


def test_a_version_that_loads_is_worth_waiting_for():
    with refusing(LATEST) as server:
        server.ready = False
        error = failed("threads", server.target, "classify")
    assert "does not serve model m now; it has version 3 (LOADING): wait for it (client.wait_until_ready)" in str(error)


@pytest.mark.parametrize("shell", SHELLS)
def test_where_a_gateway_lets_no_status_through_the_error_says_how_to_find_out(shell: str):
    def refuse(_: object) -> Any:
        raise Refusal(grpc.StatusCode.NOT_FOUND, LATEST)

    def shut(_: object) -> Any:
        raise Refusal(grpc.StatusCode.UNIMPLEMENTED, "")

    with Scripted() as server:
        server.predict, server.status = refuse, shut
        error = failed(shell, server.target, "classify")
    assert "correct the name, version or label; client.status() lists the versions" in str(error)
