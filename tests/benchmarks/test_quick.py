"""The runner and two of its programs at their quickest: all of it works, with any figures."""

import json
import subprocess
import sys
from pathlib import Path

import machine
import report

ROOT = Path(__file__).resolve().parents[2]


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_a_quick_run_writes_its_rows_and_a_page_that_needs_nothing_else(tmp_path: Path) -> None:
    done = benchmarks("--quick", "--only", "growth", "peers", "--results", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr

    run = json.loads((tmp_path / "latest.json").read_text())
    assert run["quick"]
    assert [figures["title"] for figures in run["figures"]] == ["peers", "growth"]
    rows = [row for figures in report.all_figures(run) for row in figures.rows]
    assert all(row.values or row.reason for row in rows)
    for row in rows:
        assert row.what in done.stdout

    page = (tmp_path / "latest.html").read_text()
    assert page.count("<svg") == sum(len(figures["plots"]) for figures in run["figures"])
    assert not [word for word in ("src=", "href=", "@import", "url(") if word in page]


def test_a_program_that_runs_again_leaves_what_the_others_found(tmp_path: Path) -> None:
    first = benchmarks("--quick", "--only", "peers", "--results", str(tmp_path))
    assert first.returncode == 0, first.stdout + first.stderr
    file = tmp_path / "latest.json"
    run = json.loads(file.read_text())
    kept = {"title": "growth", "rows": [], "plots": [], "command": "kept"}
    file.write_text(json.dumps(run | {"figures": [*run["figures"], kept]}))

    second = benchmarks("--quick", "--again", "peers", "--results", str(tmp_path))
    assert second.returncode == 0, second.stdout + second.stderr
    peers, growth = json.loads(file.read_text())["figures"]
    assert growth == kept
    assert peers["again"]


def test_figures_of_another_machine_are_not_mixed(tmp_path: Path) -> None:
    run = {"machine": machine.facts() | {"cores": 4096}, "quick": True, "figures": []}
    (tmp_path / "latest.json").write_text(json.dumps(run))
    done = benchmarks("--quick", "--again", "peers", "--results", str(tmp_path))
    assert done.returncode == 1
    assert "has another value of cores, 4096: measure all programs again" in done.stderr


def test_nothing_is_measured_again_that_never_was(tmp_path: Path) -> None:
    done = benchmarks("--again", "peers", "--results", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "keeps no run" in done.stderr
