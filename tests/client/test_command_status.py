"""`hubserve status`: which versions there are, and an exit code for scripts."""

import grpc
from click.testing import CliRunner, Result
from tensorflow_serving.apis import get_model_status_pb2

from hubserve._command.main import main
from support.fake_server import FakeServer, Refusal

State = get_model_status_pb2.ModelVersionStatus.State


def answer(*versions: tuple[int, int, str]) -> get_model_status_pb2.GetModelStatusResponse:
    response = get_model_status_pb2.GetModelStatusResponse()
    for number, state, error in versions:
        version = response.model_version_status.add(version=number, state=state)
        if error:
            version.status.error_code = 3
            version.status.error_message = error
    return response


def status(server: FakeServer, *options: str) -> Result:
    return CliRunner().invoke(main, ["status", "--server", server.target, "--model", "pnasnet", *options])


def test_an_available_version_ends_with_0(server: FakeServer) -> None:
    server.status = lambda request: answer((1, State.END, ""), (2, State.AVAILABLE, ""))
    result = status(server)
    assert (result.exit_code, result.stdout) == (0, "pnasnet version 2: AVAILABLE\npnasnet version 1: END\n")


def test_no_available_version_ends_with_1_and_the_reason(server: FakeServer) -> None:
    server.status = lambda request: answer((1, State.END, "no such file"))
    result = status(server)
    assert result.exit_code == 1
    assert result.stdout.startswith("pnasnet version 1: END (")
    assert "no such file" in result.stdout


def test_wait_goes_on_until_the_model_is_there(server: FakeServer) -> None:
    states = [State.LOADING, State.LOADING, State.AVAILABLE]
    server.status = lambda request: answer((1, states.pop(0) if len(states) > 1 else states[0], ""))
    result = status(server, "--wait", "20")
    assert (result.exit_code, result.stdout) == (0, "pnasnet version 1: AVAILABLE\n")


def test_wait_ends_when_the_time_is_over(server: FakeServer) -> None:
    server.status = lambda request: answer((1, State.LOADING, ""))
    result = status(server, "--wait", "0.1")
    assert result.exit_code == 1
    assert "does not serve model pnasnet after 0.1 s" in result.stderr


def test_an_unknown_model_is_named(server: FakeServer) -> None:
    def unknown(request: object) -> None:
        raise Refusal(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model pnasnet")

    server.status = unknown
    result = status(server)
    assert result.exit_code == 1
    assert "does not serve model pnasnet" in result.stderr
