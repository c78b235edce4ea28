from pathlib import Path

import pytest

from hubserve_serve import EmbeddedServer, LoadError
from serve.calls import predict_log, write_warmup
from serve.toys import model_dir


@pytest.fixture
def base(toy: Path, tmp_path: Path) -> Path:
    return model_dir(toy, tmp_path / "toy")


def test_progress_tells_how_many_records(base):
    write_warmup(base / "1", predict_log("echo", image_bytes=[b"x"]))
    lines: list[str] = []
    with EmbeddedServer(base, report=lines.append):
        pass
    assert lines == [f"loading {base / '1'}", "warming up with 1 records"]


def test_a_failing_record_is_named_with_the_remedy(base):
    write_warmup(base / "1", predict_log("echo", image_bytes=[b"x"]), predict_log("nope", image_bytes=[b"x"]))
    words = '(?s)warm-up record 2 of toy version 1 fails .*"nope" not found.*export the model again, or remove the file'
    with pytest.raises(LoadError, match=words):
        EmbeddedServer(base).start()


def test_a_record_that_is_not_a_log_fails_the_load_and_names_the_remedy(base):
    write_warmup(base / "1", b"\xff")
    with pytest.raises(LoadError, match="holds a record that is not a PredictionLog: export the model again"):
        EmbeddedServer(base).start()


def test_a_file_that_is_not_a_tfrecord_fails_the_load(base):
    write_warmup(base / "1").write_bytes(b"not a TFRecord file at all")
    with pytest.raises(LoadError, match="tf_serving_warmup_requests is not a complete TFRecord file"):
        EmbeddedServer(base).start()
