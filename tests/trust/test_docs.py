"""docs/trust.md names commands and files that exist, and has no gaps."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from trust import chaos, fuzz, soak

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_make_target_of_the_page_is_there() -> None:
    commands = set(re.findall(r"`make (\w+)((?: \w+=\w+)*)`", PAGE))
    assert {target for target, _ in commands} >= {"fuzz", "chaos", "soak", "sbom", "audit"}
    for target, variables in commands:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
        for name in re.findall(r"(\w+)=", variables):
            assert re.search(rf"^{name} \?=", MAKEFILE, re.MULTILINE), name


def test_every_file_that_the_page_names_is_there() -> None:
    files = re.findall(r"`(tests/[\w/.]+)`|\]\((\.\./[\w/.]+)", PAGE)
    assert len(files) > 6
    assert [name for pair in files for name in pair if name and not (ROOT / name.removeprefix("../")).exists()] == []


def test_every_figure_is_filled_in() -> None:
    assert "@" not in PAGE


@pytest.mark.slow
@pytest.mark.parametrize(("program", "option"), [(fuzz, "--inputs"), (chaos, "--faults"), (soak, "--minutes")])
def test_what_the_makefile_calls_takes_what_it_gives(program, option: str) -> None:
    name = program.__name__
    assert f"{name} " in MAKEFILE
    assert f"{option} $(" in MAKEFILE
    told = subprocess.run([sys.executable, "-m", name, "--help"], capture_output=True, text=True, check=True).stdout
    assert option in told
