"""Each engine's tests, run in the environment that `scripts/engine-environment` makes for it."""

import os
import subprocess

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
