"""Warm-up: recorded requests are run before the first caller comes.

Release 2.20.0: `servables/tensorflow/saved_model_warmup_util.cc`, `saved_model_warmup.cc`, `model_servers/server.cc`.
"""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorflow_serving.apis import prediction_log_pb2

from conformance.own_server import Own
from hubserve_serve import LoadError
from serve.calls import Caller, predict_log, wait_for, write_warmup
from serve.toys import model_dir


@pytest.fixture
def base(toy: Path, tmp_path: Path) -> Path:
    return model_dir(toy, tmp_path / "toy")


def test_recorded_requests_are_run_before_the_first_caller(base: Path, serve: Callable[..., Caller]):
    write_warmup(base / "1", *[predict_log("echo", image_bytes=[b"x"])] * 2)
    assert serve(base).predict("echo", image_bytes=[b"x"])["run"].tolist() == [3]


def test_the_port_opens_only_after_warm_up(base: Path, tmp_path: Path, own_server: Own):
    write_warmup(base / "1", predict_log("gated", folder=[str(tmp_path).encode()]))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    server = own_server(base, port=address[1])
    starting = threading.Thread(target=server.start)
    starting.start()
    wait_for(tmp_path / "started")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    (tmp_path / "go").touch()
    starting.join()
    socket.create_connection(address).close()
    server.stop()


def test_a_log_without_a_request_is_passed_over(base: Path, serve: Callable[..., Caller]):
    write_warmup(base / "1", b"")
    assert serve(base).predict("echo", image_bytes=[b"x"])["run"].tolist() == [1]


def regress_log() -> bytes:
    log = prediction_log_pb2.PredictionLog()
    log.regress_log.request.model_spec.name = "toy"
    return log.SerializeToString()


def classify_log() -> bytes:
    log = prediction_log_pb2.PredictionLog()
    log.classify_log.request.model_spec.signature_name = "nope"
    return log.SerializeToString()


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (predict_log("nope", image_bytes=[b"x"]), '"nope" not found'),
        (predict_log("failing", image_bytes=[b"x"]), "no such image"),
        (classify_log(), "name: nope"),
    ],
    ids=["no such signature", "a failing run", "no such signature to classify"],
)
def test_a_failing_record_fails_the_load(base: Path, log: bytes, words: str, own_server: Own, real: bool):
    write_warmup(base / "1", predict_log("echo", image_bytes=[b"x"]), log)
    with pytest.raises(LoadError, match=f"(?s){words}" if real else f"(?s)record 2 .*{words}"):
        own_server(base).start()


def test_a_record_of_regress_is_run(base: Path, own_server: Own, real: bool):
    """saved_model_warmup.cc runs Regress, which this model is not for; the embedded engine does not have that RPC."""
    write_warmup(base / "1", regress_log())
    words = "Expected one" if real else "Unsupported log_type for warmup: regress_log"
    with pytest.raises(LoadError, match=words):
        own_server(base).start()


def test_more_than_a_thousand_records_fail_the_load(base: Path, own_server: Own):
    """saved_model_warmup_util.cc."""
    write_warmup(base / "1", *[b""] * 1001)
    with pytest.raises(LoadError, match="Number of warmup records exceeds the maximum"):
        own_server(base).start()
