"""A subcommand that is stopped in any way ends without a traceback, with an exit code for the cause."""

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hubserve.testing import FakeServer
from support.fake_server import FakeServer as ScriptedServer
from support.serving_messages import get_model_status_pb2

HUBSERVE = [sys.executable, "-m", "hubserve"]
PATIENCE = 120


@contextmanager
def busy(tmp_path: Path, *options: str) -> "Iterator[subprocess.Popen[str]]":
    """`hubserve classify` with a request in flight that is not answered."""
    arrived, over = threading.Event(), threading.Event()

    def wait(_request: object) -> None:
        arrived.set()
        over.wait(PATIENCE)

    (tmp_path / "cat.jpg").write_bytes(b"cat")
    with FakeServer(before=wait) as server:
        command = [*HUBSERVE, "classify", str(tmp_path), "--server", server.target, "--model", "m", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert arrived.wait(PATIENCE)
                yield process
            finally:
                over.set()
                process.kill()


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_the_middle_of_a_run_ends_it(tmp_path: Path, stop: signal.Signals, code: int) -> None:
    with busy(tmp_path) as process:
        process.send_signal(stop)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert "Traceback" not in said
    assert "Exception" not in said


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_waits_for_the_model_ends_it(stop: signal.Signals, code: int) -> None:
    asked = threading.Event()

    def loading(_request: object) -> get_model_status_pb2.GetModelStatusResponse:
        asked.set()
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=1, state=get_model_status_pb2.ModelVersionStatus.State.LOADING)
        return response

    with ScriptedServer(status=loading) as server:
        command = [*HUBSERVE, "status", "--server", server.target, "--model", "m", "--wait", "600"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert asked.wait(30)
            process.send_signal(stop)
            _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said.strip()) == (code, "")


@pytest.mark.parametrize("arguments", [["completion", "bash"], ["--help"]])
def test_a_reader_that_went_away_is_not_reported_as_an_error(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*HUBSERVE, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.returncode in (141, 1)
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_an_output_that_cannot_be_written_is_one_sentence() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*HUBSERVE, "completion", "bash"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == (
        "Error: the output cannot be written (No space left on device): make room, or send it elsewhere\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["status", "--server", "127.0.0.1:1", "--model", "m"], 1, "127.0.0.1:1"),
        (["status", "--server", "127.0.0.1:1"], 2, "Missing option '--model'"),
        (["status", "--wait", "soon"], 2, "'soon' is not a valid float"),
        (["inspect", "nowhere"], 1, "nowhere is not a folder; give a model's base folder"),
        (["serve", "nowhere"], 1, "there is no folder"),
        (["export", "nowhere", "--output", "m", "--batch-sizes", "0"], 2, "must be positive and ascending"),
        (["classify", "nowhere", "--server", "127.0.0.1:1", "--model", "m"], 2, "nowhere does not exist"),
        (["completion", "tcsh"], 2, "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
        (["explode"], 2, "No such command 'explode'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_every_error_is_one_sentence_after_the_same_word(
    tmp_path: Path, arguments: list[str], code: int, error: str
) -> None:
    done = subprocess.run([*HUBSERVE, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert error in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error: ")]) == 1
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def on_a_terminal(command: list[str], **environment: str) -> str:
    """The bytes that a terminal gets."""
    ours, theirs = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**inherited, "TERM": "xterm", **environment}):
        os.close(theirs)
        sent = b""
        try:
            while piece := os.read(ours, 4096):
                sent += piece
        except OSError:
            pass  # Linux reports in this way that the other end is closed.
    os.close(ours)
    return sent.decode()


def test_colour_is_for_terminals_and_for_those_who_want_it(tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"cat")
    with FakeServer(lambda image: 1) as server:
        command = [*HUBSERVE, "classify", str(tmp_path), "--server", server.target, "--model", "m", "--format", "table"]
        assert "\x1b[31m" in on_a_terminal(command)
        assert "\x1b[3" not in on_a_terminal(command, NO_COLOR="1")
        assert "\x1b[3" not in on_a_terminal(command, TERM="dumb")
        piped = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "\x1b" not in piped.stdout + piped.stderr
