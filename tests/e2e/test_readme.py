"""The README keeps its word."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hubserve._command import demo
from hubserve._command.main import main
from support import guide
from support.processes import serving

README = guide.ROOT / "README.md"
NUMBER = re.compile(r"\d\.\d\d")


def blocks(language: str) -> list[str]:
    return [block.text for block in guide.blocks(README) if block.language == language]


def commands() -> list[str]:
    lines = "\n".join(blocks("sh")).splitlines()
    return [line for line in lines if line.startswith("hubserve ")]


def test_the_python_session_prints_what_the_readme_shows(lite0_dir: Path, tmp_path: Path) -> None:
    demo.copy_photographs(tmp_path / "demo" / "photographs")
    (session,), shown = blocks("python"), blocks("text")[0]
    with serving(lite0_dir, "--name", "efficientnet-lite0") as target:
        program = session.replace("localhost:8500", target)
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    # Another processor may round a score the other way.
    assert NUMBER.sub("0.00", done.stdout) == NUMBER.sub("0.00", shown)
    scores, expected = (list(map(float, NUMBER.findall(text))) for text in (done.stdout, shown))
    assert scores == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("line", commands())
def test_every_command_line_is_one_that_the_command_takes(line: str) -> None:
    name, *arguments = shlex.split(line, comments=True)[1:]
    context = main.make_context("hubserve", [name])
    command = main.get_command(context, name)
    assert command is not None
    command.make_context(name, arguments)


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    targets = (guide.ROOT / "Makefile").read_text(encoding="utf-8")
    used = set(re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE))
    assert used == {"demo", "test"}
    assert all(re.search(rf"^{target}:", targets, re.MULTILINE) for target in used)


def test_links_lead_somewhere() -> None:
    links = guide.links(README)
    assert links
    assert [link for link in links if not link.exists()] == []
