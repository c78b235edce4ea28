"""Shells complete subcommands, options and files, and do not wait for TensorFlow."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hubserve_cli.main import main

# Runs the command with what a shell asks, where TensorFlow and numpy cannot be imported.
ASK = """
import os, sys
sys.modules.update(dict.fromkeys(["tensorflow", "tensorflow_hub", "tensorflow_serving", "numpy"]))
os.environ.update(_HUBSERVE_COMPLETE="bash_complete", COMP_WORDS=sys.argv[1], COMP_CWORD=sys.argv[2])
sys.argv[1:] = []
from hubserve.__main__ import main
main()
"""


def completions(line: str) -> list[str]:
    """The completions that bash gets for the last word of the line."""
    command = [sys.executable, "-c", ASK, line, str(len(line.split(" ")) - 1)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [answer.partition(",")[2] or answer for answer in done.stdout.split()]


def test_subcommands_of_all_parts_are_offered() -> None:
    assert completions("hubserve s") == ["serve", "status"]
    assert {"export", "inspect", "classify"} <= set(completions("hubserve "))


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("hubserve export --crop", ["--crop-fraction"]),
        ("hubserve serve --engine e", ["embedded"]),
        ("hubserve serve --session-config bf", ["bfloat16-cpu"]),
        ("hubserve inspect --j", ["--json"]),
        ("hubserve export effi", ["efficientnet-lite0"]),
        ("hubserve export my-mo", ["my-mo"]),
    ],
)
def test_options_and_values_of_other_parts_are_offered(line: str, offered: list[str]) -> None:
    assert completions(line) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_registers_itself_with_the_shell(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_HUBSERVE_COMPLETE={shell}_complete" in result.stdout


def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "hubserve").write_text(f'#!/bin/sh\nexec {sys.executable} -m hubserve "$@"\n')
    (tmp_path / "bin" / "hubserve").chmod(0o755)
    program = """
    PATH="$PWD/bin:$PATH"
    eval "$(hubserve completion bash)"
    complete -p hubserve > /dev/null || exit
    COMP_WORDS=(hubserve compl) COMP_CWORD=1
    _hubserve_completion hubserve compl hubserve
    echo "${COMPREPLY[@]}"
    """
    done = subprocess.run([bash, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["completion"], "")
