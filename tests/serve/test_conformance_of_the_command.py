"""The suite of tests/conformance as users run it: against any server, and with any tensorflow_model_server."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import serving

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).parent / "stand_ins" / "embedded_model_server.py"
# One that labels and pins versions, one whose model does not load, one that batches.
WITH_A_SERVER_OF_THEIR_OWN = [
    "test_versions.py::test_a_version_answers_by_its_label",
    "test_warmup.py::test_more_than_a_thousand_records_fail_the_load",
    "test_batching.py::test_callers_are_merged_into_one_run_and_get_their_own_rows",
]


def suite(*arguments: str) -> tuple[int, str]:
    """Run the suite; return its exit code and its output."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.returncode, done.stdout


def counts(stdout: str) -> dict[str, int]:
    return {word: int(number) for number, word in re.findall(r"(\d+) (passed|skipped)", stdout.splitlines()[-1])}


@pytest.mark.slow
def test_the_suite_passes_on_a_server_that_runs_elsewhere(miniature_dir, tmp_path):
    # As large a batch as the suite has requests.
    base = shutil.copytree(miniature_dir, tmp_path / "miniature")
    (base / "1" / "batching_params.pbtxt").write_text("max_batch_size { value: 8 } allowed_batch_sizes: [1, 2, 8]")
    with serving(base) as target:
        code, stdout = suite("tests/conformance", "--server", target, "--model", base.name)
    assert code == 0, stdout
    # What is about the server alone was run, and what needs its own server was not.
    assert counts(stdout)["passed"] >= 50
    assert "needs its own server" in stdout


@pytest.mark.slow
def test_the_suite_starts_a_program_for_tests_that_need_their_own_server(tmp_path):
    program = tmp_path / "tensorflow_model_server"
    log = tmp_path / "started"
    line = shlex.join([sys.executable, str(STAND_IN)])
    program.write_text(f'#!/bin/sh\necho "$@" >> {shlex.quote(str(log))}\nexec {line} "$@"\n')
    program.chmod(0o755)
    code, stdout = suite(
        *(f"tests/conformance/{name}" for name in WITH_A_SERVER_OF_THEIR_OWN), "--binary", str(program)
    )
    assert code == 0, stdout
    assert counts(stdout) == {"passed": len(WITH_A_SERVER_OF_THEIR_OWN)}
    started = [each for each in log.read_text().splitlines() if "--model_config_file=" in each]
    assert len(started) == len(WITH_A_SERVER_OF_THEIR_OWN)
