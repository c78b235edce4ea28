"""The table of mistakes names checks and tests that there are."""

import importlib
import re
from pathlib import Path

import pytest

from k8s.test_checks import BREAKS, TLS_BREAKS

_PAGE = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
_ROWS = dict(re.findall(r"^\| (?!mistake)([^|-][^|]+) \| ([^|]+) \|$", _PAGE, re.MULTILINE))


def unknown(cell: str) -> list[str]:
    """Return the names of a cell that do not exist, or a remark that it names nothing."""
    words = re.findall(r'"([^"]+)"', cell)
    tests = re.findall(r"`(\w+)\.py::(\w+)`", cell)
    missing = [each for each in words if each not in {**BREAKS, **TLS_BREAKS}]
    missing += [
        f"{module}::{name}" for module, name in tests if not hasattr(importlib.import_module(f"k8s.{module}"), name)
    ]
    return missing if words or tests else ["nothing"]


@pytest.mark.parametrize("mistake", _ROWS)
def test_a_mistake_is_noticed(mistake):
    assert unknown(_ROWS[mistake]) == []


@pytest.mark.parametrize("cell", ["", '"has no such words"', "`test_checks.py::test_that_is_not_there`"])
def test_a_check_that_is_not_there_is_noticed(cell):
    assert unknown(cell)


def test_the_table_has_every_row():
    assert len(_ROWS) == len(re.findall(r"^\| ", _PAGE, re.MULTILINE)) - 2
