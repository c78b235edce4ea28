"""`hubserve serve --engine docker`, with a stand-in for the command docker and its daemon."""

import signal
import socket
import sys
from pathlib import Path

import pytest

from hubserve_serve import EmbeddedServer
from serve.calls import calling
from serve.stand_ins.machine import Machine, wait_until_gone


@pytest.fixture
def machine(server: EmbeddedServer, tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine").install("docker", backend=server.target)


def test_callers_get_the_containers_answers_at_the_address_that_is_printed(machine: Machine, toy_dir: Path) -> None:
    with (
        machine.serving(toy_dir, "--engine", "docker", "--port", 0, "--version", 1) as (_, target),
        calling(target) as caller,
    ):
        assert caller.predict(image_bytes=[b"odd"])["labels"].tolist() == [[b"dog", b"cat"]]


def test_the_line_names_engine_image_and_release(machine: Machine, toy_dir: Path) -> None:
    with machine.starting(toy_dir, "--engine", "docker", "--port", 0) as process:
        line = process.stdout.readline()
    assert line.startswith("Serving toy version 3 on 127.0.0.1:")
    assert line.endswith(" (docker engine, tensorflow/serving:2.20.0, TensorFlow Serving 2.20.0; Ctrl-C to stop)\n")


def test_the_port_is_published_to_the_address_asked_for_alone(machine: Machine, toy_dir: Path) -> None:
    with machine.serving(toy_dir, "--engine", "docker", "--port", 0, "--host", "localhost") as (_, target):
        (command,) = (call for call in machine.docker_calls() if call[0] == "run" and "--init" in call)
        assert [argument for argument in command if argument.startswith("--publish")] == [
            f"--publish=127.0.0.1:{target.rpartition(':')[2]}:8500"
        ]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_container_and_leaves_nothing(machine: Machine, toy_dir: Path, stop: signal.Signals) -> None:
    with machine.serving(toy_dir, "--engine", "docker", "--port", 0) as (process, _):
        process.send_signal(stop)
        assert process.wait(60) == 0
    wait_until_gone(machine.server()["pid"])
    assert machine.leftovers() == []
    *_, run, last = machine.docker_calls()
    name = next(argument for argument in run if argument.startswith("--name=")).removeprefix("--name=")
    assert last == ["rm", "--force", name]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_the_container_does_not_outlive_a_killed_command(machine: Machine, toy_dir: Path) -> None:
    with machine.serving(toy_dir, "--engine", "docker", "--port", 0) as (process, _):
        process.kill()
    wait_until_gone(machine.server()["pid"])


def test_a_model_that_does_not_load_ends_the_command_with_the_servers_words(machine: Machine, toy_dir: Path) -> None:
    machine.install("docker", load_error="UNKNOWN: 1 servable(s) did not become available")
    done = machine.serve(toy_dir, "--engine", "docker", "--port", 0)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        "Error: tensorflow_model_server in tensorflow/serving:2.20.0 ended unexpectedly with exit code 255: "
        "UNKNOWN: 1 servable(s) did not become available"
    )


def test_an_image_that_is_not_here_is_pulled_when_docker_is_asked_for(machine: Machine, toy_dir: Path) -> None:
    machine.install("docker", images=[])
    with machine.serving(toy_dir, "--engine", "docker", "--port", 0) as (process, _):
        assert ["pull", "tensorflow/serving:2.20.0"] in machine.docker_calls()
        assert process.stderr.readline() == "pulling tensorflow/serving:2.20.0\n"
        assert process.stderr.readline() == "Status: Downloaded newer image for tensorflow/serving:2.20.0\n"


def test_an_image_that_cannot_be_pulled_is_named(machine: Machine, toy_dir: Path) -> None:
    machine.install("docker", pull_error="Error response from daemon: manifest for nope:1 not found")
    done = machine.serve(toy_dir, "--engine", "docker", "--image", "nope:1")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        "Error response from daemon: manifest for nope:1 not found",
        "Error: docker cannot pull nope:1; its message is above: choose another --image, or another --engine",
    ]


def test_an_image_of_another_kind_is_refused(machine: Machine, toy_dir: Path) -> None:
    machine.install("docker", images=["nginx:1"], no_program=True)
    done = machine.serve(toy_dir, "--engine", "docker", "--image", "nginx:1")
    assert done.returncode == 1
    assert "Error: nginx:1 does not print its version (docker: Error: exec: " in done.stderr


def test_an_old_image_is_refused(machine: Machine, toy_dir: Path) -> None:
    machine.install("docker", release="2.11.0")
    done = machine.serve(toy_dir, "--engine", "docker")
    assert done.stderr.splitlines()[-1] == (
        "Error: tensorflow/serving:2.20.0 is TensorFlow Serving 2.11.0, which does not know "
        "--enable_grpc_healthcheck_service: use 2.15.1 or newer"
    )


def test_a_taken_port_is_known_before_the_container_starts(machine: Machine, toy_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = machine.serve(toy_dir, "--engine", "docker", "--port", port)
    assert done.stderr.splitlines()[-1] == (
        f"Error: cannot listen on 127.0.0.1:{port} (Address already in use): choose another port or host"
    )
    assert not (machine.folder / "server.json").exists()


def test_a_daemon_that_does_not_answer_is_named(machine: Machine, toy_dir: Path) -> None:
    machine.install("docker", daemon_error="Cannot connect to the Docker daemon. Is the docker daemon running?")
    done = machine.serve(toy_dir, "--engine", "docker")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: docker's daemon does not answer (Cannot connect to the Docker daemon. Is the docker daemon running?): "
        "start it, or choose another --engine\n"
    )


def test_without_docker_the_command_says_how_to_install_it(tmp_path: Path, toy_dir: Path) -> None:
    done = Machine(tmp_path / "machine").serve(toy_dir, "--engine", "docker")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: docker is not on the PATH: install it as described at https://docs.docker.com/get-started/get-docker, "
        "or choose another --engine\n"
    )
