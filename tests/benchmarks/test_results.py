"""The committed results of the last run: the documents agree with them, and so does the capacity model."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import report

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "benchmarks/results/latest.json"

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="no run of `make bench` has been committed")


@pytest.fixture(scope="module")
def run() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def test_the_page_has_the_tables_of_the_last_run(run: dict[str, Any]) -> None:
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert report.documented(page, run) == page, "make bench writes them"


def test_the_last_run_measured_all_and_was_no_quick_one(run: dict[str, Any]) -> None:
    assert not run["quick"]
    assert {"client", "decode", "serving", "growth", "startup"} <= {figures["title"] for figures in run["figures"]}


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in report.QUESTIONS])
def test_each_question_of_users_is_answered(run: dict[str, Any], pattern: str) -> None:
    rows = [row.what for figures in report.all_figures(run) for row in figures.rows]
    assert [what for what in rows if re.fullmatch(pattern, what)], "no row has this name"


def test_each_missed_goal_has_its_reason(run: dict[str, Any]) -> None:
    rows = [row for figures in report.all_figures(run) for row in figures.rows]
    without = [row.what for row in rows if row.verdict in ("missed", "not measured") and not row.remark]
    assert without == []


@pytest.mark.parametrize(
    ("replicas", "least"), [(1, 0.75), (2, 0.75), (4, 0.75), (8, 0.75), (16, 0.75), (32, 0.75), (64, 0.6)]
)
def test_the_capacity_model_is_near_what_was_measured(run: dict[str, Any], replicas: int, least: float) -> None:
    """Within a quarter; within two fifths if 65 processes share the cores."""
    start = f"{replicas} replica{'s' * (replicas > 1)}: throughput against the capacity model"
    rows = (row for figures in report.all_figures(run) for row in figures.rows)
    (row,) = (row for row in rows if row.what.startswith(start))
    assert least <= row.median <= 1.05
