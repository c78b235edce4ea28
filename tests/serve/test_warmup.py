import socket
import threading
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from hubserve_serve import EmbeddedServer, LoadError
from serve.calls import calling, request, wait_for
from serve.toys import model_dir


def record(base: Path, *logs: bytes) -> Path:
    file = base / "1" / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for log in logs:
            writer.write(log)
    return file


def predict_log(signature: str, **inputs) -> bytes:
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(request(signature, model="whatever", **inputs))
    return log.SerializeToString()


@pytest.fixture
def base(toy: Path, tmp_path: Path) -> Path:
    return model_dir(toy, tmp_path / "toy")


def test_recorded_requests_are_run_before_the_first_caller(base):
    record(base, *[predict_log("echo", image_bytes=[b"x"])] * 2)
    with EmbeddedServer(base) as server, calling(server.target) as caller:
        assert caller.predict("echo", image_bytes=[b"x"])["run"].tolist() == [3]


def test_the_port_opens_only_after_warm_up(base, tmp_path):
    record(base, predict_log("gated", folder=[str(tmp_path).encode()]))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    server = EmbeddedServer(base, port=address[1])
    starting = threading.Thread(target=server.start)
    starting.start()
    wait_for(tmp_path / "started")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    (tmp_path / "go").touch()
    starting.join()
    socket.create_connection(address).close()
    server.stop()


def test_progress_tells_how_many_records(base):
    record(base, predict_log("echo", image_bytes=[b"x"]))
    lines: list[str] = []
    with EmbeddedServer(base, report=lines.append):
        pass
    assert lines == [f"loading {base / '1'}", "warming up with 1 records"]


def test_a_log_without_a_request_is_passed_over(base):
    record(base, b"")
    with EmbeddedServer(base):
        pass


def classify_log() -> bytes:
    log = prediction_log_pb2.PredictionLog()
    log.classify_log.request.model_spec.signature_name = "nope"
    return log.SerializeToString()


def regress_log() -> bytes:
    log = prediction_log_pb2.PredictionLog()
    log.regress_log.request.model_spec.name = "toy"
    return log.SerializeToString()


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (predict_log("nope", image_bytes=[b"x"]), 'record 2 of toy version 1 fails .*"nope" not found'),
        (predict_log("failing", image_bytes=[b"x"]), "record 2 of toy version 1 fails .*no such image"),
        (classify_log(), "record 2 of toy version 1 fails .*name: nope"),
        (regress_log(), "record 2 of toy version 1 fails .*Unsupported log_type for warmup: regress_log"),
        (b"\xff", "holds a record that is no PredictionLog"),
    ],
)
def test_a_bad_record_fails_the_load_and_names_the_remedy(base, log, words):
    record(base, predict_log("echo", image_bytes=[b"x"]), log)
    with pytest.raises(LoadError, match=f"(?s){words}.*export the model again, or remove the file"):
        EmbeddedServer(base).start()


def test_a_file_that_is_no_tfrecord_fails_the_load(base):
    record(base).write_bytes(b"not a TFRecord file at all")
    with pytest.raises(LoadError, match="tf_serving_warmup_requests is not a whole TFRecord file"):
        EmbeddedServer(base).start()


def test_more_than_a_thousand_records_fail_the_load(base):
    record(base, *[b""] * 1001)
    with pytest.raises(LoadError, match="more than 1000 warm-up records"):
        EmbeddedServer(base).start()
