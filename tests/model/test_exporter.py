"""A model must not be served by an older TensorFlow than the one that exported it."""

import re
from pathlib import Path

import pytest

from hubserve_k8s import _server
from hubserve_model import manifest
from hubserve_model.exporter import newer_tensorflow
from hubserve_serve._engines._release import warn_of_newer_export

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("tensorflow", "server", "newer"),
    [
        ("2.21.0", (2, 20, 0), True),
        ("2.20.1", (2, 20, 0), False),
        ("2.20.0", (2, 21, 0), False),
        ("2.9.0", (2, 10, 0), False),
        ("3.0.0rc1", (2, 22, 0), True),
        ("", (2, 20, 0), False),
    ],
)
def test_a_newer_minor_release_is_reported(tensorflow: str, server: tuple[int, int, int], newer: bool) -> None:
    assert newer_tensorflow({"tensorflow": tensorflow}, server) == (tensorflow if newer else None)
    assert newer_tensorflow({}, server) is None


def test_serving_warns_and_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    warn_of_newer_export(tmp_path, (2, 20, 0), "it", said.append)
    manifest.write(tmp_path, {"tensorflow": "2.20.0"})
    warn_of_newer_export(tmp_path, (2, 20, 0), "it", said.append)
    assert said == []
    manifest.write(tmp_path, {"tensorflow": "2.21.0"})
    warn_of_newer_export(tmp_path, (2, 20, 0), "it", said.append)
    assert len(said) == 1
    assert said[0].startswith(
        f"Warning: {tmp_path} was exported with TensorFlow 2.21.0, and it is TensorFlow Serving 2.20.0"
    )


def test_the_server_of_the_manifests_is_the_one_that_models_are_checked_against() -> None:
    deployment = (ROOT / "k8s" / "base" / "deployment.yaml").read_text(encoding="utf-8")
    release = ".".join(map(str, _server.TRIED))
    assert set(re.findall(r"tensorflow/serving:([\d.]+)", deployment)) == {release}
