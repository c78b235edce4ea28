"""A machine with stand-ins for TensorFlow Serving and Docker on its PATH, because they may not be installed."""

import contextlib
import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 60.0
_HERE = Path(__file__).parent


@dataclass
class Machine:
    """The programs of a machine: ``Machine(tmp_path / "machine").install("docker", images=[...])``.

    Attributes:
        folder: Where the stand-ins leave what they were told.
        settings: How they behave; see `install`.
    """

    folder: Path
    settings: dict[str, object] = field(
        default_factory=lambda: {
            "release": "2.20.0+dev.sha.no_git",
            "unknown": [],
            "empty": False,
            "load_error": "",
            "gate": False,
            "talk": 0,
            "backend": "127.0.0.1:1",
            "address": "",
            "daemon_error": "",
            "pull_error": "",
            "no_program": False,
            "images": ["tensorflow/serving:2.20.0"],
        }
    )

    def install(self, program: str, **settings: object) -> "Machine":
        """Put a stand-in on the PATH."""
        file = self.folder / "bin" / program
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{_HERE / program}.py" "$@"\n', encoding="utf-8")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        self.settings.update(settings)
        (self.folder / "settings.json").write_text(json.dumps(self.settings))
        return self

    @property
    def environment(self) -> dict[str, str]:
        temporary = self.folder / "t"
        temporary.mkdir(parents=True, exist_ok=True)
        path = str(self.folder / "bin")
        return {**os.environ, "PATH": path, "STAND_IN_FOLDER": str(self.folder), "TMPDIR": str(temporary)}

    def serve(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run `hubserve serve` until it ends without a signal."""
        return subprocess.run(
            _command(arguments), env=self.environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )

    @contextlib.contextmanager
    def starting(self, *arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Run `hubserve serve`, and end it when the context ends."""
        with subprocess.Popen(
            _command(arguments),
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextlib.contextmanager
    def serving(self, *arguments: object, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """Run `hubserve serve`; return its process and its address when it serves."""
        with self.starting(*arguments, **environment) as process:
            line = process.stdout.readline()
            ready = re.search(r" on (\S+) \(", line)
            assert ready, process.stderr.read()
            yield process, ready[1]

    def server(self) -> dict[str, object]:
        """The model server's `arguments` and `pid`; waits until it has started."""
        file = self.folder / "server.json"
        deadline = time.monotonic() + PATIENCE
        while not (file.exists() and file.read_text()):
            assert time.monotonic() < deadline, "no server was started"
            time.sleep(0.02)
        return json.loads(file.read_text())

    def docker_calls(self) -> list[list[str]]:
        file = self.folder / "docker.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def leftovers(self) -> list[str]:
        """The files that remain in the temporary folder."""
        return os.listdir(self.folder / "t")


def wait_until_gone(pid: int) -> None:
    """Wait until a process has ended."""
    deadline = time.monotonic() + PATIENCE
    while _runs(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A process without a waiting parent stays as a zombie if the machine's init does not reap it.
    return state != "Z"


def _command(arguments: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-m", "hubserve", "serve", *map(str, arguments)]
