"""`hubserve serve --engine binary`, with a stand-in for tensorflow_model_server."""

import signal
import socket
import sys
from pathlib import Path

import grpc
import pytest

from hubserve_serve import EmbeddedServer
from serve.calls import calling, wait_for
from serve.stand_ins.machine import Machine, wait_until_gone

PROGRAM = "tensorflow_model_server"
EVERY_INTERFACE = "0.0.0.0"  # noqa: S104


@pytest.fixture
def machine(server: EmbeddedServer, tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine").install(PROGRAM, backend=server.target)


def test_callers_get_the_programs_answers_at_the_address_that_is_printed(machine: Machine, toy_dir: Path) -> None:
    with (
        machine.serving(toy_dir, "--engine", "binary", "--port", 0) as (_, target),
        calling(target) as caller,
    ):
        assert caller.predict(image_bytes=[b"odd"])["labels"].tolist() == [[b"dog", b"cat"]]
        # Far more than one buffer, each way.
        images = [bytes([index]) * 3_000_000 for index in range(4)]
        assert caller.predict("echo", image_bytes=images)["echo"].tolist() == images


def test_the_line_names_engine_and_release(machine: Machine, toy_dir: Path) -> None:
    with machine.starting(toy_dir, "--engine", "binary", "--port", 0, "--name", "t") as process:
        line = process.stdout.readline()
    assert line.startswith("Serving t version 3 on 127.0.0.1:")
    assert line.endswith(" (binary engine, TensorFlow Serving 2.20.0; Ctrl-C to stop)\n")


def test_only_the_address_asked_for_is_open(machine: Machine, toy_dir: Path) -> None:
    with machine.serving(toy_dir, "--engine", "binary", "--port", 0) as (_, target):
        assert "--port=0" in machine.server()["arguments"]
        # All of 127.0.0.0/8 is this machine, and 0.0.0.0 would have taken it.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", int(target.rpartition(":")[2])))


def test_on_every_interface_the_program_listens_itself(machine: Machine, toy_dir: Path, server: EmbeddedServer) -> None:
    machine.install(PROGRAM, backend=server.target, address=EVERY_INTERFACE)
    with machine.serving(toy_dir, "--engine", "binary", "--port", 0, "--host", EVERY_INTERFACE) as (_, target):
        host, _, port = target.rpartition(":")
        assert host == EVERY_INTERFACE
        arguments = machine.server()["arguments"]
        assert f"--port={port}" in arguments
        assert not [argument for argument in arguments if argument.startswith("--grpc_socket_path")]
        with calling(f"127.0.0.1:{port}") as caller:
            assert caller.predict(image_bytes=[b"odd"])["labels"].tolist() == [[b"dog", b"cat"]]


def test_a_port_on_every_interface_that_another_server_has_is_refused(machine: Machine, toy_dir: Path) -> None:
    with socket.socket() as other:
        # As gRPC servers do, which could share the port.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((EVERY_INTERFACE, 0))
        other.listen()
        port = other.getsockname()[1]
        done = machine.serve(toy_dir, "--engine", "binary", "--host", EVERY_INTERFACE, "--port", port)
    assert done.returncode == 1
    assert f"cannot listen on {EVERY_INTERFACE}:{port} (Address already in use)" in done.stderr


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_program_and_leaves_nothing(machine: Machine, toy_dir: Path, stop: signal.Signals) -> None:
    with machine.serving(toy_dir, "--engine", "binary", "--port", 0) as (process, _):
        process.send_signal(stop)
        assert process.wait(60) == 0
        assert process.stderr.read().splitlines()[-1] == (
            "stopping: TensorFlow Serving ends at once, and calls in flight with it"
        )
    wait_until_gone(machine.server()["pid"])
    assert machine.leftovers() == []


def test_a_signal_while_it_loads_leaves_nothing(machine: Machine, toy_dir: Path) -> None:
    machine.install(PROGRAM, gate=True)
    with machine.starting(toy_dir, "--engine", "binary", "--port", 0) as process:
        pid = machine.server()["pid"]
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    wait_until_gone(pid)
    assert machine.leftovers() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_the_program_does_not_outlive_a_killed_command(machine: Machine, toy_dir: Path) -> None:
    with machine.serving(toy_dir, "--engine", "binary", "--port", 0) as (process, _):
        process.kill()
    wait_until_gone(machine.server()["pid"])


def test_a_long_temporary_folder_works(machine: Machine, toy_dir: Path) -> None:
    # The path of a UNIX socket may have 107 characters.
    deep = machine.folder / ("deep" * 25)
    deep.mkdir()
    with machine.serving(toy_dir, "--engine", "binary", "--port", 0, TMPDIR=str(deep)) as (_, target):
        assert target.startswith("127.0.0.1:")


def test_a_model_that_does_not_load_ends_the_command_with_the_servers_words(machine: Machine, toy_dir: Path) -> None:
    machine.install(PROGRAM, load_error="UNKNOWN: 1 servable(s) did not become available")
    done = machine.serve(toy_dir, "--engine", "binary", "--port", 0)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        "Error: tensorflow_model_server ended unexpectedly with exit code 255: "
        "UNKNOWN: 1 servable(s) did not become available"
    )


def test_a_server_that_dies_ends_the_command_with_its_last_lines(machine: Machine, toy_dir: Path) -> None:
    with machine.serving(toy_dir, "--engine", "binary", "--port", 0) as (process, _):
        (machine.folder / "crash").touch()
        assert process.wait(60) == 1
        last = process.stderr.read().splitlines()[-1]
    assert last == "Error: tensorflow_model_server ended unexpectedly by SIGSEGV: loading toy / out of luck"


def test_the_log_goes_to_standard_error(machine: Machine, toy_dir: Path) -> None:
    with machine.starting(toy_dir, "--engine", "binary", "--port", 0) as process:
        assert process.stderr.readline() == f"loading {toy_dir / '3'}\n"
        assert process.stderr.readline() == "loading toy\n"


def test_a_log_without_a_reader_does_not_block_the_server(machine: Machine, toy_dir: Path) -> None:
    # Many times what a pipe holds.
    machine.install(PROGRAM, gate=True, talk=50_000)
    with machine.starting(toy_dir, "--engine", "binary", "--port", 0) as process:
        machine.server()
        process.stderr.close()
        (machine.folder / "go").touch()
        wait_for(machine.folder / "talked")
        assert process.stdout.readline().startswith("Serving toy version 3 on ")


def test_a_flag_that_the_server_does_not_know_ends_the_command(machine: Machine, toy_dir: Path) -> None:
    machine.install(PROGRAM, unknown=["enable_profiler"])
    done = machine.serve(toy_dir, "--engine", "binary", "--port", 0)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: tensorflow_model_server cannot serve this: unknown argument: --enable_profiler=false"
    )
    wait_until_gone(machine.server()["pid"])


def test_a_folder_that_the_server_finds_empty_ends_the_command(machine: Machine, toy_dir: Path) -> None:
    machine.install(PROGRAM, empty=True)
    done = machine.serve(toy_dir, "--engine", "binary", "--port", 0)
    assert done.returncode == 1
    assert f"No versions of servable toy found under base path {toy_dir}" in done.stderr.splitlines()[-1]
    wait_until_gone(machine.server()["pid"])


def test_a_release_without_a_flag_is_refused_before_it_starts(machine: Machine, toy_dir: Path) -> None:
    machine.install(PROGRAM, release="2.14.1-rc1+dev.sha.no_git")
    done = machine.serve(toy_dir, "--engine", "binary", "--port", 0)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: tensorflow_model_server is TensorFlow Serving 2.14.1, which does not know "
        "--enable_grpc_healthcheck_service: use 2.15.1 or newer"
    )
    assert not (machine.folder / "server.json").exists()


def test_a_program_that_is_not_a_tensorflow_serving_is_refused(machine: Machine, toy_dir: Path) -> None:
    machine.install(PROGRAM, release="none")
    done = machine.serve(toy_dir, "--engine", "binary", "--port", 0)
    assert done.returncode == 1
    assert "Error: tensorflow_model_server does not print its version (" in done.stderr


def test_a_taken_port_is_known_before_the_server_starts(machine: Machine, toy_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = machine.serve(toy_dir, "--engine", "binary", "--port", port)
    assert done.stderr.splitlines()[-1] == (
        f"Error: cannot listen on 127.0.0.1:{port} (Address already in use): choose another port or host"
    )
    assert not (machine.folder / "server.json").exists()


def test_without_the_program_the_command_says_how_to_install_it(tmp_path: Path, toy_dir: Path) -> None:
    done = Machine(tmp_path / "machine").serve(toy_dir, "--engine", "binary")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: tensorflow_model_server is not on the PATH: install it as described at "
        "https://www.tensorflow.org/tfx/serving/setup, or choose another --engine\n"
    )


def test_a_port_that_is_not_open_yet_refuses_callers(machine: Machine, toy_dir: Path) -> None:
    machine.install(PROGRAM, gate=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with machine.starting(toy_dir, "--engine", "binary", "--port", port) as process:
        machine.server()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        (machine.folder / "go").touch()
        assert process.stdout.readline().startswith("Serving toy version 3 on ")
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(60)
