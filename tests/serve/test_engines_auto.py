"""`--engine auto` takes the first available engine, and prints which one and why."""

from pathlib import Path

import pytest

from hubserve_serve._engines._auto import choose
from serve.stand_ins.machine import Machine

IMAGE = "tensorflow/serving:2.20.0"


def chosen(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("PATH", "STAND_IN_FOLDER"):
        monkeypatch.setenv(name, machine.environment[name])
    lines: list[str] = []
    choose("auto", IMAGE, lines.append)
    (line,) = lines
    return line


def test_the_program_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(tmp_path).install("docker").install("tensorflow_model_server")
    assert chosen(machine, monkeypatch) == "Serving with the binary engine"


def test_then_docker_with_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(Machine(tmp_path).install("docker"), monkeypatch) == (
        "Serving with the docker engine (tensorflow_model_server is not on the PATH)"
    )


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"images": []}, "docker does not have the image tensorflow/serving:2.20.0"),
        ({"daemon_error": "Cannot connect"}, "docker's daemon does not answer"),
    ],
)
def test_docker_without_image_or_daemon_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], reason: str
) -> None:
    machine = Machine(tmp_path).install("docker", **settings)
    assert chosen(machine, monkeypatch) == (
        f"Serving with the embedded engine (tensorflow_model_server is not on the PATH; {reason})"
    )
    assert not any("pull" in call for call in machine.docker_calls())


def test_a_machine_with_neither_serves_in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(Machine(tmp_path), monkeypatch) == (
        "Serving with the embedded engine (tensorflow_model_server is not on the PATH; docker is not on the PATH)"
    )
