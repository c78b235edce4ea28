"""The session in the README works."""

import re
import socket
from pathlib import Path

import pytest

from hubserve_cli import demo
from support import guide
from support.messages import is_said
from support.processes import hubserve

README = guide.ROOT / "README.md"
NUMBER = re.compile(r"\d\.\d+")
MODEL = "efficientnet-lite0"


@pytest.mark.slow
def test_a_folder_is_labelled_by_the_command_and_from_python_as_the_readme_shows(
    lite0_dir: Path, tmp_path: Path
) -> None:
    demo.copy_photographs(tmp_path / "demo" / "photographs")
    (tmp_path / "demo" / "models").mkdir()
    (tmp_path / "demo" / "models" / MODEL).symlink_to(lite0_dir)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    instead = {
        # The tests' own environment is active already.
        ". .venv/bin/activate\n": "",
        f"serve demo/models/{MODEL}": f"serve demo/models/{MODEL} --engine embedded --port {port}",
        "localhost:8500": f"localhost:{port}",
        # What a terminal shows.
        "--model efficientnet-lite0\n": "--model efficientnet-lite0 --format table\n",
    }
    shell = [block for block in guide.blocks(README) if block.language != "python"]
    (session,) = (block for block in guide.blocks(README) if block.language == "python")
    with guide.Reader(tmp_path, instead, {}) as reader:
        reader.follow([block for block in shell if block.mark == "background"])
        ready = hubserve("status", "--server", f"localhost:{port}", "--model", MODEL, "--wait", "600")
        assert ready.returncode == 0, ready.stderr
        reader.follow([block for block in shell if block.mark is None])
        reader.follow([session])
    for said, first in ((reader.said("hubserve classify"), "score"), (reader.said("from hubserve"), "0.79")):
        (shown,) = (text for text in texts() if text.startswith(first))
        # Another processor may round a score the other way.
        assert NUMBER.sub("0", said) == NUMBER.sub("0", shown)
        scores, expected = (list(map(float, NUMBER.findall(text))) for text in (said, shown))
        assert scores == pytest.approx(expected, abs=0.02)


def texts() -> list[str]:
    return [block.text for block in guide.blocks(README) if block.language == "text"]


def test_the_line_of_the_server_is_one_that_it_says() -> None:
    (line,) = (text for text in texts() if text.startswith("Serving"))
    assert re.fullmatch(rf"Serving {MODEL} version 1 on 127\.0\.0\.1:8500 \((.+); Ctrl-C to stop\)\n", line)
    assert is_said("Serving ... version ... on ... (...; Ctrl-C to stop)")
    assert is_said(re.search(r"\((.+);", line)[1])


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    targets = (guide.ROOT / "Makefile").read_text(encoding="utf-8")
    shell = "\n".join(block.text for block in guide.blocks(README) if block.language == "sh")
    used = set(re.findall(r"^make (\w+)", shell, re.MULTILINE))
    assert used == {"demo", "test"}
    assert all(re.search(rf"^{target}:", targets, re.MULTILINE) for target in used)


def test_it_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < 130
