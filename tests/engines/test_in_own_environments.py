"""Each engine's tests, run in the environment that `scripts/engine-environment` makes for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.guide import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["spark", "ray", "beam"])
def test_an_engine_in_its_own_environment(engine: str) -> None:
    made = subprocess.run([ROOT / "scripts" / "engine-environment", engine], capture_output=True, text=True, cwd=ROOT)
    if made.returncode == 3:
        pytest.skip(made.stderr.strip())
    assert made.returncode == 0, made.stderr
    command = [ROOT / ".engines" / engine / "bin" / "python", "-m", "pytest", "-q", f"tests/engines/test_{engine}.py"]
    done = subprocess.run(
        # The engines warn of their own.
        [*command, "-W", "default", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["spark", "ray", "beam"])
def test_no_row_is_lost_or_doubled_while_servers_and_workers_are_killed(engine: str, tmp_path: Path) -> None:
    made = subprocess.run([ROOT / "scripts" / "engine-environment", engine], capture_output=True, text=True, cwd=ROOT)
    if made.returncode == 3:
        pytest.skip(made.stderr.strip())
    program = [sys.executable, "benchmarks/engines.py", "--rows", "2000", "--every", "2", "--only", engine]
    done = subprocess.run([*program, "--json", tmp_path / "found.json"], capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "found.json").read_text())["rows"]
    counts = {row["what"]: row["values"] for row in rows if row["unit"] == "rows"}
    assert len(counts) == 6
    assert set(map(tuple, counts.values())) == {(0,)}
