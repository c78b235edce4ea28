import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from conformance.raw_http2 import PREDICT, begin_call
from hubserve_serve import EmbeddedServer
from serve.calls import PATIENCE, calling, request, status_request, wait_for
from serve.toys import model_dir

COMMAND = [sys.executable, "-c", "from hubserve_serve.command import serve; serve()"]


@contextlib.contextmanager
def served(base: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """Run the command; return its process and the line that it prints."""
    with subprocess.Popen([*COMMAND, str(base), "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_call_in_flight_is_answered_new_ones_are_refused_and_the_exit_code_is_0(toy, tmp_path, stop):
    with served(model_dir(toy, tmp_path / "toy")) as (process, line):
        target = line.split()[5]
        assert line == (
            f"Serving toy version 1 on {target} (embedded engine, for development and tests; Ctrl-C to stop)\n"
        )
        with calling(target) as caller:
            in_flight = caller.prediction.Predict.future(request("gated", folder=[str(tmp_path).encode()]))
            wait_for(tmp_path / "started")
            process.send_signal(stop)
            assert first_refusal(target).code() is grpc.StatusCode.UNAVAILABLE
            answer = health_pb2_grpc.HealthStub(caller.channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
            (tmp_path / "go").touch()
            assert list(in_flight.result(PATIENCE).outputs["rows"].int_val) == [1]
        assert process.wait(PATIENCE) == 0
        assert process.stdout.read() == ""
    host, _, port = target.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def first_refusal(target: str) -> grpc.RpcError:
    """Call until the signal has arrived and a call is refused."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with calling(target) as caller:
            try:
                caller.models.GetModelStatus(status_request(), timeout=PATIENCE)
            except grpc.RpcError as error:
                return error
    raise AssertionError("the server goes on taking calls")


@pytest.mark.parametrize("batching", [None, "max_batch_size { value: 1 }"])
def test_a_call_that_never_ends_is_cut_off_when_the_drain_time_is_over(toy, tmp_path, batching):
    server = EmbeddedServer(model_dir(toy, tmp_path / "toy", batching=batching), drain_seconds=0.2)
    before = set(threading.enumerate())
    server.start()
    with calling(server.target) as caller:
        endless = caller.prediction.Predict.future(request("gated", folder=[str(tmp_path).encode()]))
        wait_for(tmp_path / "started")
        server.stop()
        assert endless.exception(PATIENCE) is not None
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("rpc")]


def test_a_caller_that_watches_the_health_does_not_block_the_server(toy, tmp_path):
    server = EmbeddedServer(model_dir(toy, tmp_path / "toy"), drain_seconds=3600)
    server.start()
    with calling(server.target) as caller:
        watch = health_pb2_grpc.HealthStub(caller.channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        stopping = threading.Thread(target=server.stop, daemon=True)
        stopping.start()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        stopping.join(PATIENCE)
        assert not stopping.is_alive()


def test_a_call_that_is_begun_and_not_finished_does_not_hold_the_server(toy, tmp_path):
    server = EmbeddedServer(model_dir(toy, tmp_path / "toy"), drain_seconds=3600)
    server.start()
    with calling(server.target) as caller, begin_call(server.target, PREDICT, 1000, sent=b"half"):
        caller.predict(image_bytes=[b"x"])
        stopping = threading.Thread(target=server.stop, daemon=True)
        stopping.start()
        stopping.join(PATIENCE)
        assert not stopping.is_alive()
