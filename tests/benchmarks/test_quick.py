"""The runner and two of its programs, as quick as they go: all of it works, whatever the figures."""

import json
import subprocess
import sys
from pathlib import Path

import report

ROOT = Path(__file__).resolve().parents[2]


def test_a_quick_run_writes_its_rows_and_a_page_that_needs_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks", "--quick", "--only", "growth", "peers", "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    run = json.loads((tmp_path / "latest.json").read_text())
    assert run["quick"]
    assert [figures["title"] for figures in run["figures"]] == ["growth", "peers"]
    rows = [row for figures in report.all_figures(run) for row in figures.rows]
    assert all(row.values or row.reason for row in rows)
    for row in rows:
        assert row.what in done.stdout

    page = (tmp_path / "latest.html").read_text()
    assert page.count("<svg") == sum(len(figures["plots"]) for figures in run["figures"])
    assert not [word for word in ("src=", "href=", "@import", "url(") if word in page]
