"""The verdicts and texts of a row."""

import json
from pathlib import Path

import pytest

from row import Figures, Plot, Row


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [({"at_most": 1.5}, "met"), ({"at_most": 1.2}, "missed"), ({"at_least": 1.5}, "missed"), ({}, "")],
)
def test_the_median_is_held_against_the_budget(limits: dict[str, float], verdict: str) -> None:
    assert Row("ours against theirs", [1.0, 1.4, 9.0], **limits).verdict == verdict


def test_a_row_without_values_says_why_it_was_not_measured() -> None:
    row = Row("bfloat16", [], at_least=1.3, reason="this CPU has no bfloat16 instructions")
    assert row.verdict == "not measured"
    assert row.remark in str(row)


def test_the_reason_stands_beside_a_missed_budget_and_nowhere_else() -> None:
    assert "because" in str(Row("a", [2.0], at_most=1.0, reason="because"))
    assert "because" not in str(Row("a", [0.5], at_most=1.0, reason="because"))


def test_figures_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    figures = Figures("client", [Row("a", [1.0, 2.0], at_most=2.0)], [Plot("t", "x", "y", {"m": [[1, 2]]})], "python a")
    figures.write(tmp_path / "figures.json")
    assert Figures.of(json.loads((tmp_path / "figures.json").read_text())) == figures
