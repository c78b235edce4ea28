"""`hubserve status --wait` from before a server is started until it serves, with every engine."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hubserve_serve import EmbeddedServer
from serve.stand_ins.machine import PATIENCE, Machine
from serve.toys import model_dir


def status(port: int, seconds: str) -> list[str]:
    options = ["--server", f"127.0.0.1:{port}", "--model", "toy", "--wait", seconds]
    return [sys.executable, "-m", "hubserve", "status", *options]


@pytest.mark.parametrize("engine", ["embedded", "binary", "docker"])
def test_status_waits_for_every_engine(engine: str, server: EmbeddedServer, toy: Path, tmp_path: Path) -> None:
    base = model_dir(toy, tmp_path / "toy", 3)
    machine = Machine(tmp_path / "machine").install("docker", backend=server.target, gate=True)
    machine.install("tensorflow_model_server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        subprocess.Popen(status(port, str(PATIENCE)), stdout=subprocess.PIPE, text=True) as waiting,
        machine.starting(base, "--engine", engine, "--port", port) as process,
    ):
        if engine != "embedded":
            # It loads, and does not answer requests yet.
            machine.server()
            done = subprocess.run(status(port, "0.1"), capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout) == (1, "")
            assert f"no answer from 127.0.0.1:{port}" in done.stderr
            (machine.folder / "go").touch()
        assert process.stdout.readline().startswith(f"Serving toy version 3 on 127.0.0.1:{port} ({engine} engine")
        assert waiting.communicate(timeout=PATIENCE)[0] == "toy version 3: AVAILABLE\n"
    assert waiting.returncode == 0
