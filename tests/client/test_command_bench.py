"""`hubserve bench` against servers on real sockets: its measurements, texts and exit codes."""

import io
import json
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner, Result

from hubserve import testing
from hubserve_cli.main import main
from support import scripted_model
from support.fake_server import FakeServer
from support.serving_messages import get_model_metadata_pb2, get_model_status_pb2

QUICK = ["--warmup", "0", "--requests", "20"]


@pytest.fixture
def served() -> Iterator[testing.FakeServer]:
    with testing.FakeServer(model="m", version=3) as server:
        yield server


def bench(target: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["bench", "--server", target, "--model", "m", *options])


def measured(target: str, *options: str) -> dict[str, Any]:
    result = bench(target, "--json", *options)
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_a_closed_loop_measures_every_batch_size_with_every_load(served: testing.FakeServer) -> None:
    report = measured(served.target, *QUICK, "--batch-size", "1,4", "--concurrency", "1,2")
    points = report["points"]
    assert [(p["batch_size"], p["concurrency"], p["due"], p["answered"]) for p in points] == [
        (1, 1, 20, 20),
        (1, 2, 20, 20),
        (4, 1, 20, 20),
        (4, 2, 20, 20),
    ]
    # Each batch size is tried once before.
    assert sorted(len(request.images) for request in served.requests) == [1] * 41 + [4] * 41
    for point in points:
        latency = point["latency_ms"]
        order = [latency[key] for key in ("min", "p50", "p90", "p99", "p99.9", "max")]
        assert order == sorted(order)
        assert sum(count for _, _, count in point["histogram"]["buckets"]) == 20
        assert point["rows_per_s"] == point["batch_size"] * point["requests_per_s"] > 0
        assert point["client_cpu"]["ms_per_request"] > 0


def test_the_report_says_what_it_measured_and_on_what(served: testing.FakeServer, tmp_path: Path) -> None:
    images = tmp_path / "images.tar"
    with tarfile.open(images, "w") as archive:
        for number in range(3):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = 100 + number
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    report = measured(served.target, *QUICK, "--concurrency", "2", "--images", str(images), "--seed", "7")
    assert set(report) == {
        *("format", "started", "command", "machine", "server", "inputs", "images", "rows", "load", "remarks"),
        *("interrupted", "points"),
    }
    assert set(report["points"][0]) == {
        *("batch_size", "concurrency", "rate", "due", "due_per_s", "answered", "failed", "unfinished", "window_s"),
        *("requests_per_s", "rows_per_s", "latency_ms", "mean_ms", "late_ms", "held_back", "most_in_flight"),
        *("request_bytes", "answer_bytes", "client_cpu", "machine_busy", "interrupted", "findings", "histogram"),
    }
    assert report["format"] == 1
    server = report["server"]
    assert (server["target"], server["model"], server["version"]) == (served.target, "m", 3)
    assert server["signature"] == "serving_default"
    assert server["round_trip_ms"]["min"] <= server["round_trip_ms"]["median"]
    assert report["images"] == {"from": str(images), "count": 3, "total_bytes": 303, "mean_bytes": 101.0}
    assert report["inputs"] == [
        {"name": "image_bytes", "dtype": "string", "shape": [None], "values": "photographs"},
    ]
    assert report["load"] == {
        "mode": "closed",
        "arrivals": None,
        "warmup_s": 0.0,
        "duration_s": None,
        "requests": 20,
        "timeout_s": 30.0,
        "seed": 7,
    }
    assert {"processor", "cores", "system", "python", "packages"} == set(report["machine"])


def test_the_table_shows_figures_their_parts_and_the_subject(served: testing.FakeServer) -> None:
    result = bench(served.target, *QUICK, "--concurrency", "1,2", "--batch-size", "2")
    assert (result.exit_code, result.stderr) == (0, "")
    heading = "batch in flight answers images p50 p90 p99 p99.9 max failed client"
    lines = result.stdout.splitlines()
    assert heading in [" ".join(line.split()) for line in lines]
    # No row is wrapped on a terminal; the command is one line, for a copy.
    assert [line for line in lines if len(line) > 80 and not line.startswith("command ")] == []
    figures = [cells for line in result.stdout.splitlines() if (cells := line.split()) and cells[0] == "2"]
    assert [(cells[:2], len(cells)) for cells in figures] == [
        (["2", "1"], 11),
        (["2", "2"], 11),
        (["2", "1"], 7),
        (["2", "2"], 7),
    ]
    assert f"server   {served.target}, model m, version 3, serving_default" in result.stdout


def test_a_stall_of_the_server_is_seen_by_all_that_were_due_in_an_open_loop() -> None:
    """Everything that is due during a stall waits for it, even if the server was late for few calls."""
    over = threading.Event()

    def stall(request: testing.Request) -> None:
        # The 30th and those after it wait for the 80th, which is due a second later.
        if len(served.requests) >= 80:
            over.set()
        if len(served.requests) >= 30:
            assert over.wait(60)

    with testing.FakeServer(model="m", before=stall, threads=128) as served:
        report = measured(served.target, "--rate", "50", "--arrivals", "uniform", "--requests", "100", "--warmup", "0")
    (point,) = report["points"]
    assert (point["due"], point["answered"]) == (100, 100)
    slow = sum(count for low, _, count in point["histogram"]["buckets"] if low >= 0.25e9)
    # Fifty were due in it, and three quarters of them had to wait for at least a quarter of it.
    assert slow >= 30
    assert point["latency_ms"]["p90"] >= 500


def test_failures_are_counted_by_code_and_not_retried(served: testing.FakeServer) -> None:
    # The first request is the one before the load.
    served.then(None, *[testing.Fault("RESOURCE_EXHAUSTED", "queue is full")] * 5)
    report = measured(served.target, *QUICK, "--concurrency", "1")
    (point,) = report["points"]
    assert point["failed"] == {"RESOURCE_EXHAUSTED": {"count": 5, "words": "queue is full"}}
    assert (point["due"], point["answered"], len(served.requests)) == (20, 15, 21)
    assert point["latency_ms"]["p50"] > 0
    assert point["latency_ms"]["p90"] is point["latency_ms"]["max"] is None
    assert "5 of 20 requests failed with RESOURCE_EXHAUSTED: queue is full" in point["findings"]


def test_a_run_in_which_nothing_was_answered_has_failed(served: testing.FakeServer) -> None:
    served.then(None, *[testing.Fault("UNAVAILABLE", "gone")] * 3)
    result = bench(served.target, "--warmup", "0", "--requests", "3", "--concurrency", "3")
    assert result.exit_code == 1
    assert "3 of 3 requests failed with UNAVAILABLE: gone" in result.stdout


def test_a_request_that_the_model_refuses_ends_it_before_the_load() -> None:
    with testing.FakeServer(model="m", max_batch_size=4) as server:
        result = bench(server.target, "--batch-size", "1,8", *QUICK)
    assert result.exit_code == 1
    assert "larger than maximum input batch size 4" in result.stderr
    assert len(server.requests) == 2


def test_images_that_the_model_cannot_decode_are_reported() -> None:
    with testing.FakeServer(lambda image: 1, model="m") as server:
        report = measured(server.target, *QUICK, "--batch-size", "4", "--concurrency", "1")
    assert report["remarks"] == ["the model could not decode 4 of the first 4 images, which makes it faster"]


def test_the_drawing_is_well_formed_and_tells_its_figures(served: testing.FakeServer, tmp_path: Path) -> None:
    for load in (["--concurrency", "1,2"], ["--rate", "200", "--arrivals", "uniform"]):
        file = tmp_path / "plot.svg"
        assert bench(served.target, *QUICK, *load, "--svg", str(file)).exit_code == 0
        drawing = ET.fromstring(file.read_bytes())  # noqa: S314 - our own
        assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
        assert "p99" in drawing.findtext("{http://www.w3.org/2000/svg}desc")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--rate", "5", "--concurrency", "2"], "exclude each other"),
        (["--concurrency", "1,x"], "'1,x' is not a list of numbers from 1 to 1000000, such as 1,2,4"),
        (["--rate", "0"], "'0' is not a list"),
        (["--batch-size", ""], "'' is not a list"),
        (["--duration", "0"], "--duration"),
        (["--svg", "nowhere/plot.svg"], "there is no folder nowhere"),
        (["--images", "nowhere"], "nowhere does not exist"),
        (
            ["--signature", "other"],
            "model m does not have a signature other: choose one with --signature (serving_default)",
        ),
        (["--shape", "3"], "does not fit the model's [?]"),
    ],
)
def test_wrong_usage_is_reported_and_nothing_is_measured(
    served: testing.FakeServer, options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = bench(served.target, *options)
    assert (result.exit_code, served.requests) == (2, [])
    assert words in result.stderr


def test_no_server_and_no_such_model_are_reported(served: testing.FakeServer) -> None:
    result = CliRunner().invoke(main, ["bench", "--server", served.target, "--model", "other"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not serve model other" in result.stderr
    served.stop()
    gone = bench(served.target, "--timeout", "0.2")
    assert (gone.exit_code, gone.stdout) == (1, "")
    assert gone.stderr.startswith("Error: ")


def test_ctrl_c_ends_with_what_was_measured_so_far(served: testing.FakeServer) -> None:
    command = [sys.executable, "-m", "hubserve", "bench", "--server", served.target, "--model", "m", "--json"]
    with subprocess.Popen(
        [*command, "--duration", "600", "--warmup", "0", "--concurrency", "2,4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while len(served.requests) < 50:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in stderr
    report = json.loads(stdout)
    assert report["interrupted"]
    (point,) = report["points"]
    assert point["answered"] >= 20
    assert point["due"] == point["answered"] + point["unfinished"]


def test_any_model_is_measured_by_what_its_metadata_says(served: testing.FakeServer) -> None:
    described = get_model_metadata_pb2.SignatureDefMap()
    signature = described.signature_def["embed"]
    signature.method_name = "tensorflow/serving/predict"
    for name, dtype, sizes in (("ids", 3, (-1, -1)), ("pixels", 1, (-1, 4, 4, 3))):
        signature.inputs[name].dtype = dtype
        for size in sizes:
            signature.inputs[name].tensor_shape.dim.add(size=size)

    def metadata(request: object) -> get_model_metadata_pb2.GetModelMetadataResponse:
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = "m"
        response.metadata["signature_def"].Pack(described)
        return response

    with FakeServer(
        predict=lambda request: scripted_model.respond(request, out=np.zeros(3, np.float32)),
        metadata=metadata,
        status=lambda request: get_model_status_pb2.GetModelStatusResponse(),
    ) as server:
        asked = bench(server.target, "--json", *QUICK)
        assert asked.exit_code == 2
        assert "input ids leaves sizes open, [?, ?]: give them, --shape ids=SIZE" in asked.stderr
        report = measured(server.target, *QUICK, "--shape", "ids=16", "--batch-size", "3", "--concurrency", "1")
    assert (report["server"]["signature"], report["rows"], report["images"]) == ("embed", "rows", None)
    assert {spec["name"]: spec["shape"] for spec in report["inputs"]} == {"ids": [None, 16], "pixels": [None, 4, 4, 3]}
    last = server.requests[-1]
    assert [d.size for d in last.inputs["ids"].tensor_shape.dim] == [3, 16]
    assert [d.size for d in last.inputs["pixels"].tensor_shape.dim] == [3, 4, 4, 3]
