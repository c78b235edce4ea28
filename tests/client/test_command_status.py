"""`hubserve status`: the versions of a model, and an exit code for scripts."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import grpc
from click.testing import CliRunner, Result

from hubserve_cli.main import main
from support.fake_server import FakeServer, Refusal
from support.serving_messages import get_model_status_pb2

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


def test_json_is_one_document_with_all_versions(server: FakeServer) -> None:
    server.status = lambda request: answer((2, State.AVAILABLE, ""), (1, State.END, "no such file"))
    result = status(server, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "server": server.target,
        "model": "pnasnet",
        "versions": [
            {"version": 2, "state": "AVAILABLE", "available": True, "error": None},
            {"version": 1, "state": "END", "available": False, "error": "no such file"},
        ],
    }


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


def test_wait_goes_on_while_the_server_is_not_up_or_does_not_know_the_model(server: FakeServer) -> None:
    looks = [Refusal(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model pnasnet"), State.START]

    def coming_up(request: object) -> get_model_status_pb2.GetModelStatusResponse:
        look = looks.pop(0) if looks else State.AVAILABLE
        if isinstance(look, Refusal):
            raise look
        return answer((1, look, ""))

    with ThreadPoolExecutor(1) as pool, socket.create_server(("127.0.0.1", 0)) as nobody:
        late = FakeServer(status=coming_up, port=nobody.getsockname()[1])
        result = pool.submit(status, late, "--wait", "60")
        # The client connected, and got no answer.
        nobody.accept()[0].close()
        nobody.close()
        with late:
            assert result.result(60).stdout == "pnasnet version 1: AVAILABLE\n"
    assert looks == []


def test_wait_ends_at_once_when_the_model_could_not_be_loaded(server: FakeServer) -> None:
    looks = []
    server.status = lambda request: looks.append(request) or answer((1, State.END, ""), (2, State.END, "no such file"))
    result = status(server, "--wait", "600")
    assert (result.exit_code, result.stdout, len(looks)) == (1, "", 1)
    assert result.stderr == (
        f"Error: {server.target} could not load model pnasnet (version 2 is END (no such file), version 1 is END): "
        "fix the version, or publish another one\n"
    )


def test_wait_goes_on_when_another_version_may_still_come(server: FakeServer) -> None:
    states = [State.LOADING, State.LOADING]
    server.status = lambda request: answer(
        (1, State.END, "no such file"), (2, states.pop(0) if states else State.AVAILABLE, "")
    )
    result = status(server, "--wait", "20")
    assert result.exit_code == 0
    assert result.stdout.startswith("pnasnet version 2: AVAILABLE\n")


def test_wait_goes_on_when_the_versions_were_only_unloaded(server: FakeServer) -> None:
    states = [State.END, State.END]
    server.status = lambda request: answer((1, states.pop(0) if states else State.AVAILABLE, ""))
    result = status(server, "--wait", "20")
    assert (result.exit_code, result.stdout) == (0, "pnasnet version 1: AVAILABLE\n")


def test_an_unknown_model_is_named(server: FakeServer) -> None:
    def unknown(request: object) -> None:
        raise Refusal(grpc.StatusCode.NOT_FOUND, "Could not find any versions of model pnasnet")

    server.status = unknown
    result = status(server)
    assert result.exit_code == 1
    assert "does not serve model pnasnet" in result.stderr
