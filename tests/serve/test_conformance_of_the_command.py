"""The suite of tests/conformance against `hubserve serve`, as anybody runs it against any server."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from support.processes import serving

ROOT = Path(__file__).resolve().parents[2]


def test_the_suite_passes_on_a_server_that_runs_elsewhere(miniature_dir, tmp_path):
    # As large a batch as the suite has requests.
    base = shutil.copytree(miniature_dir, tmp_path / "miniature")
    (base / "1" / "batching_params.pbtxt").write_text("max_batch_size { value: 8 } allowed_batch_sizes: [1, 2, 8]")
    with serving(base) as target:
        suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/conformance"]
        done = subprocess.run(
            [*suite, "--server", target, "--model", base.name],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
    assert done.returncode == 0, done.stdout
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|skipped)", done.stdout.splitlines()[-1])}
    # What is about the server alone was run, and what needs a server of its own was not.
    assert counts["passed"] >= 50
    assert "needs a server of its own" in done.stdout
