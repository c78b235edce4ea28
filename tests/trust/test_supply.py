"""Installed packages are pinned with hashes, and an audit that could not look them up does not pass."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")


def requirements() -> list[str]:
    """The entries, each with its hashes in one line."""
    joined = CONSTRAINTS.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def test_every_dependency_is_pinned_to_a_version_and_its_files_hashes() -> None:
    assert len(requirements()) > 100
    loose = [line for line in requirements() if not re.match(r"[\w.-]+==[\w.]+ .*--hash=sha256:[0-9a-f]{64}", line)]
    assert loose == []


def test_everything_is_installed_with_those_hashes() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = re.findall(r"pip install .*?(?:[^\\]\n)", makefile.replace("\\\n", " "))
    assert len(installs) >= 3
    # hubserve itself, from here, is the one that has none.
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps" not in line] == []


def read_audit(tmp_path: Path, report: object) -> tuple[int, str]:
    file = tmp_path / "report.json"
    file.write_text("" if report is None else json.dumps({"dependencies": report}))
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "read-audit", file], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


KNOWN = {"name": "pillow", "version": "1.0", "vulns": []}
VULNERABLE = {"name": "click", "version": "8.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["8.1"]}]}
UNKNOWN = {"name": "numpy", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.mark.parametrize(
    ("report", "code", "says"),
    [
        ([KNOWN], 0, "1 of 1 packages looked up, 0 vulnerabilities known"),
        ([KNOWN, VULNERABLE], 1, "click 8.0: PYSEC-1, fixed in 8.1"),
        ([KNOWN, UNKNOWN], 2, "1 of 2 packages looked up"),
        ([UNKNOWN], 0, "skipped, for the advisory database cannot be reached"),
        (None, 0, "skipped, for the advisory database cannot be reached"),
    ],
)
def test_an_audit_that_looked_nothing_up_is_skipped_and_not_passed(
    tmp_path: Path, report: object, code: int, says: str
) -> None:
    found, output = read_audit(tmp_path, report)
    assert (found, says in output) == (code, True), output
