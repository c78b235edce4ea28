"""`hubserve models --server`: the models of a server, as far as they can be known."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hubserve.testing import FakeServer
from hubserve_cli import served
from hubserve_cli.main import main

# As TensorFlow Serving writes it on its REST port.
METRICS = """\
# TYPE :tensorflow:cc:saved_model:load_attempt_count counter
:tensorflow:cc:saved_model:load_attempt_count{model_path="/models/m/3",status="success"} 1
:tensorflow:cc:saved_model:load_attempt_count{model_path="/models/gone/1",status="success"} 1
# TYPE :tensorflow:serving:request_count counter
:tensorflow:serving:request_count{model_name="m",status="OK"} 7
"""
CONFIG = """\
model_config_list {
  config {
    name: "m"
    base_path: "/models/m"
    model_platform: "tensorflow"
    version_labels { key: "stable" value: 3 }
  }
  config { name: 'other' base_path: "/models/other" }
}
"""


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(model="m", version=3) as server:
        yield server


@pytest.fixture
def metrics() -> Iterator[str]:
    """The address of a server's metrics."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(METRICS.encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as page:
        thread = threading.Thread(target=page.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{page.server_port}/monitoring/prometheus/metrics"
        page.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program on this machine's port 8501 is not called."""
    monkeypatch.setattr(served, "_METRICS_PORT", 9)


def models(server: FakeServer, *options: object) -> Result:
    return CliRunner().invoke(main, ["models", "--server", server.target, *map(str, options)])


def rows(result: Result) -> list[list[str]]:
    return [line.split() for line in result.stdout.splitlines()[1:]]


def test_a_name_that_is_given_is_asked_for(server: FakeServer) -> None:
    result = models(server, "--model", "m")
    assert (result.exit_code, rows(result)) == (0, [["m", "3", "AVAILABLE", "--model"]])
    assert "The list may be incomplete: no metrics at http://127.0.0.1:9/" in result.stderr


def test_names_come_from_the_metrics_and_those_that_are_gone_are_told(server: FakeServer, metrics: str) -> None:
    result = models(server, "--metrics", metrics)
    assert (result.exit_code, rows(result)) == (0, [["m", "3", "AVAILABLE", "its", "metrics"]])
    assert result.stderr == "The server does not have: gone\n"


def test_names_come_from_the_model_config_and_from_a_folder_of_models(server: FakeServer, tmp_path: Path) -> None:
    config = tmp_path / "models.config"
    config.write_text(CONFIG)
    (tmp_path / "models" / "m" / "3").mkdir(parents=True)
    (tmp_path / "models" / "notes").mkdir()
    (tmp_path / "models" / "file").touch()
    by_config = json.loads(models(server, "--model-config", config, "--json").stdout)
    assert [model["name"] for model in by_config["models"]] == ["m"]
    assert by_config["models"][0]["versions"] == [{"version": 3, "state": "AVAILABLE", "error": None}]
    assert by_config["unknown"] == ["other"]
    by_folder = models(server, "--models-dir", tmp_path / "models")
    assert (by_folder.exit_code, rows(by_folder)[0][0]) == (0, "m")


def test_the_embedded_engine_tells_its_model(server: FakeServer) -> None:
    assert served._ONLY.search("Could not find any versions of model x; this server has lite0")["name"] == "lite0"


def test_where_no_name_can_be_known_that_is_said_with_what_to_do(server: FakeServer) -> None:
    result = models(server)
    assert (result.exit_code, result.stdout) == (1, "")
    for part in (
        "no name of a model is known",
        "TensorFlow Serving has no call that lists its models",
        "--model-config",
    ):
        assert part in result.stderr


def test_a_server_that_does_not_answer_is_an_error(server: FakeServer) -> None:
    result = CliRunner().invoke(main, ["models", "--server", "127.0.0.1:9"])
    assert (result.exit_code, "no answer from 127.0.0.1:9" in result.stderr) == (1, True)


def test_without_the_option_the_modules_of_the_hub_are_listed_whatever_the_environment_says() -> None:
    result = CliRunner().invoke(main, ["models", "pnasnet"], env={"HUBSERVE_SERVER": "127.0.0.1:9"})
    assert (result.exit_code, "google/imagenet/pnasnet_large/classification/5" in result.stdout) == (0, True)
    both = CliRunner().invoke(main, ["models", "pnasnet", "--server", "x"])
    assert (both.exit_code, "leave them out with --server" in both.stderr) == (2, True)


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("localhost:8500", "http://localhost:8501/monitoring/prometheus/metrics"),
        ("localhost", "http://localhost:8501/monitoring/prometheus/metrics"),
        ("dns:///pnasnet:8500", "http://pnasnet:8501/monitoring/prometheus/metrics"),
        ("[::1]:8500", "http://[::1]:8501/monitoring/prometheus/metrics"),
    ],
)
def test_metrics_are_looked_for_on_the_rest_port(target: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_METRICS_PORT", 8501)
    assert served.metrics_address({"target": target}) == address
