"""Messages of the library in the command's own words, and the command that installs an extra."""

import importlib.metadata
import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from hubserve._errors import _RULES
from hubserve.testing import FakeServer
from hubserve_cli.common.words import WORDS, in_words, to_install
from hubserve_cli.main import main
from support.guide import ROOT
from support.messages import said_by


@pytest.mark.parametrize("said", WORDS)
def test_the_library_says_what_the_command_says_in_other_words(said: str) -> None:
    assert any(said in text for text in said_by(ROOT / "client" / "hubserve"))


def test_no_failed_call_names_an_argument_of_the_library() -> None:
    texts = [in_words(rule[-1]) for rule in _RULES]
    assert [text for text in texts if re.search(r"client\.|\btls=|\btoken=|max_batch|TLS\(", text)] == []


def test_a_wrong_model_name_names_no_method_of_the_library() -> None:
    with FakeServer(model="m") as server:
        options = ["--server", server.target, "--model", "another"]
        errors = [
            CliRunner().invoke(main, [*command, *options]).stderr for command in (["status"], ["classify", __file__])
        ]
    for error in errors:
        assert "does not know a model of that name: correct the name" in error
        assert "client." not in error
    assert in_words("correct the name, version or label; client.status() lists the versions") == (
        "correct the name, version or label; `hubserve status` lists the versions"
    )


@pytest.mark.parametrize(
    ("recorded", "command"),
    [
        (None, "pip install 'hubserve[html]'"),
        ("not JSON", "pip install 'hubserve[html]'"),
        (
            {"url": "file:///home/me/my%20code/hubserve", "dir_info": {}},
            "pip install '/home/me/my code/hubserve[html]'",
        ),
        (
            {"url": "file:///src/hubserve", "dir_info": {"editable": True}},
            "pip install --editable '/src/hubserve[html]'",
        ),
        (
            {"url": "file:///dist/hubserve-0.2.0-py3-none-any.whl", "archive_info": {}},
            "pip install 'hubserve[html] @ file:///dist/hubserve-0.2.0-py3-none-any.whl'",
        ),
        (
            {"url": "https://example.com/hubserve.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "pip install 'hubserve[html] @ git+https://example.com/hubserve.git@abc'",
        ),
    ],
)
def test_an_extra_is_installed_from_where_hubserve_came(
    recorded: object, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "METADATA").write_text("Metadata-Version: 2.1\nName: hubserve\nVersion: 1\n")
    if recorded is not None:
        text = recorded if isinstance(recorded, str) else json.dumps(recorded)
        (tmp_path / "direct_url.json").write_text(text)
    found = importlib.metadata.PathDistribution(tmp_path)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: found)
    assert to_install("html") == command
    assert in_words("serve needs grpc: pip install 'hubserve[html]'") == f"serve needs grpc: {command}"
    # A shell reads it as one requirement.
    words = subprocess.run(["sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True).stdout
    assert words.count("\n") == 3 + ("--editable" in command)
