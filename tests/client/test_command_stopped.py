"""Ctrl-C, SIGTERM, a reader that goes away, a server that goes away: a clear end, and whole records."""

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from client.bulk import classify, documents, images, sources
from hubserve.testing import FakeServer, Fault, Request
from hubserve_cli.common.interrupts import Signals, Stopped


def start(server: FakeServer, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "hubserve",
        "classify",
        *map(str, arguments),
        "--server",
        server.target,
        "--model",
        "m",
    ]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_the_run_with_whole_records_and_the_command_that_goes_on(
    tmp_path: Path, number: signal.Signals, name: str
) -> None:
    folder = images(tmp_path / "images", 200)
    file = tmp_path / "r.jsonl"
    stuck = threading.Event()
    goes_on = threading.Event()

    def hold(request: Request) -> None:
        if b"image 100" in request.images:
            stuck.set()
            goes_on.wait(60)

    with FakeServer(before=hold) as server:
        with start(server, folder, "--batch-size", 10, "--concurrency", 1, "--output", file) as process:
            assert stuck.wait(60)
            process.send_signal(number)
            error = process.communicate(timeout=60)[1].decode()
        goes_on.set()
        server.before = None
        assert process.returncode == 128 + number
        assert "Traceback" not in error
        assert f"Error: stopped by {name}\nGo on with: hubserve classify {folder} --batch-size 10" in error
        # The record of the answer before the held one may not have been written yet.
        assert 90 <= len(documents(file)) <= 100
        assert classify(server, folder, "--output", file, "--resume").exit_code == 0
    assert sources(file) == sorted(map(str, folder.iterdir()))


def test_a_reader_that_goes_away_ends_the_run_in_silence(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 2000)
    with FakeServer() as server, start(server, folder, "--batch-size", 10, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"0000.jpg" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        error = process.stderr.read().decode()
        assert (process.wait(60), error) == (141, "")
        assert len(server.requests) < 200


def test_a_disk_that_is_full_behind_standard_output_is_one_sentence(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 10)
    with FakeServer() as server, open("/dev/full", "wb") as full, start(server, folder, stdout=full) as process:
        error = process.communicate(timeout=60)[1].decode()
    assert (process.returncode, error) == (
        1,
        "Error: the output cannot be written (No space left on device): make room, or send it elsewhere\n",
    )


def test_a_signal_waits_while_a_record_is_written() -> None:
    written = []

    def write() -> None:
        with Signals() as signals:
            with signals.held:
                os.kill(os.getpid(), signal.SIGTERM)
                written.append("whole")
            written.append("never")

    with pytest.raises(Stopped) as stopped:
        write()
    assert (written, stopped.value.number) == (["whole"], signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_server_that_goes_away_for_good_ends_the_run_and_not_each_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hubserve import Retry
    from hubserve_cli import classify as command

    monkeypatch.setattr(command, "_RETRY", Retry(max_seconds=0))
    folder = images(tmp_path / "images", 400)
    file = tmp_path / "r.jsonl"
    with FakeServer() as server:
        server.then(None, *[Fault("UNAVAILABLE", "gone")] * 100)
        result = classify(server, folder, "--batch-size", 10, "--concurrency", 1, "--output", file)
        assert len(server.requests) < 5
    assert (result.exit_code, len(documents(file))) == (1, 10)
    assert f"Error: no answer from {server.target}" in result.stderr
    assert "--resume" in result.stderr


def test_a_server_that_breaks_on_every_request_is_not_asked_for_ever(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 900)
    with FakeServer() as server:
        server.then(None, *[Fault("INTERNAL", "it broke")] * 1000)
        result = classify(server, folder, "--batch-size", 5, "--concurrency", 1, "--output", tmp_path / "r.jsonl")
        # Each request once more, alone.
        assert 20 < len(server.requests) < 40
    assert (result.exit_code, "failed while answering for model m" in result.stderr) == (1, True)


def test_on_a_terminal_there_is_progress_with_the_total_and_in_a_pipe_there_is_none(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 120)

    with FakeServer() as server:
        server.then(0.02, times=1000)
        screen, terminal = pty.openpty()
        command = ["classify", str(folder), "--server", server.target, "--model", "m", "--batch-size", "4"]
        with subprocess.Popen(
            [sys.executable, "-m", "hubserve", *command, "--concurrency", "1"],
            stdout=subprocess.DEVNULL,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        ) as process:
            os.close(terminal)
            shown = b""
            # A terminal whose last writer has gone is an error to read from.
            try:
                while chunk := os.read(screen, 2**16):
                    shown += chunk
            except OSError:
                pass
        os.close(screen)
        assert process.returncode == 0
        piped = classify(server, folder, "--quiet")
    text = shown.decode()
    assert " of 120 images, " in text
    assert " a second" in text
    assert text.rstrip().splitlines()[-1].endswith(" a second)")
    assert (piped.exit_code, piped.stderr) == (0, "")
