from pathlib import Path

import pytest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from hubserve_model import integrity, manifest
from hubserve_serve import EmbeddedServer, LoadError, _warmup
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


@pytest.fixture
def exported(base):
    """Make a version whose manifest says that its second record adds only a batch size."""
    write_warmup(base / "1", *(predict_log("echo", image_bytes=[b"x"] * size) for size in (1, 2, 3)))
    files = [vars(file) for file in integrity.records(base / "1")]
    manifest.write(base / "1", {"files": files, "warmup": {"records": 3, "only_sizes": [2]}})
    return base


def run_on(version: Path, *, on_gpu: bool) -> list[int]:
    logs: list[PredictionLog] = _warmup.recorded_requests(version)
    return [number for number, _ in _warmup.needed(version, logs, on_gpu=on_gpu)]


def test_a_gpu_runs_every_batch_size_and_a_cpu_those_that_differ_in_kind(exported):
    assert run_on(exported / "1", on_gpu=True) == [1, 2, 3]
    assert run_on(exported / "1", on_gpu=False) == [1, 3]


def test_progress_tells_how_many_records_a_cpu_leaves_out(exported):
    lines: list[str] = []
    with EmbeddedServer(exported, report=lines.append):
        pass
    assert lines[-1] == "warming up with 2 records; 1 more are only other batch sizes, which a CPU does not need"


def test_records_that_export_did_not_write_are_all_run(exported):
    write_warmup(exported / "1", *[predict_log("echo", image_bytes=[b"y"])] * 3)
    assert run_on(exported / "1", on_gpu=False) == [1, 2, 3]


@pytest.mark.parametrize("text", ["{", '{"format_version": 1}', '{"format_version": 1, "files": [], "warmup": 3}'])
def test_without_a_usable_manifest_all_records_are_run(exported, text):
    (exported / "1" / manifest.FILE).write_text(text)
    assert run_on(exported / "1", on_gpu=False) == [1, 2, 3]
