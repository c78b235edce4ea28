"""Every block of code in the guides runs in a test, or names the reason why it cannot."""

import hashlib
import shlex
import socket
from pathlib import Path

import pytest
import trustme

from hubserve.testing import FakeServer
from hubserve_cli import demo
from hubserve_cli.main import main
from support import guide

# What a block may need that is not here.
REASONS = {"cluster", "gpu", "hub", "docker", "install"}
PAGES = guide.pages()
FOLLOWED_HERE = [
    page for page in PAGES if guide.own_test(page) is None and any(block.runs for block in guide.blocks(page))
]


# What they show takes half a minute of both cores.
LONG = {"docs/bench.md"}
# Models that pages take for granted, and the fixtures that make them: each takes TensorFlow, and half a minute.
MODELS = {"models/pnasnet": "miniature_dir", "my-model": "miniature_saved"}


def asks_for(page: Path) -> list[str]:
    """The models that blocks of a page use."""
    return [place for place in MODELS if any(block.runs and place in block.text for block in guide.blocks(page))]


def name(page: Path) -> str:
    return str(page.relative_to(guide.ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_block_that_no_test_runs_says_what_it_needs(page: Path) -> None:
    blocks = guide.blocks(page)
    assert {block.mark for block in blocks} <= {None, "background", "skip"}
    assert {block.reason for block in blocks if block.mark == "skip"} <= REASONS
    own = guide.own_test(page)
    # It does not merely say so: the test is there, and reads this page.
    assert own is None or page.name in own.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_line_of_hubserve_is_one_that_the_command_takes(page: Path, folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    for block in guide.blocks(page):
        lines = block.text.replace("\\\n", " ").splitlines() if block.language == "sh" else []
        for line in lines:
            words = shlex.split(line.partition(" > ")[0].partition(" < ")[0], comments=True)
            if words[:1] == ["export"]:
                for setting in words[1:]:
                    monkeypatch.setenv(*setting.split("=", 1))
            if words and Path(words[0]).name == "hubserve":
                subcommand, *arguments = words[1:]
                command = main.get_command(main.make_context("hubserve", [subcommand]), subcommand)
                assert command is not None, line
                command.make_context(subcommand, arguments)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in guide.links(page) if not link.exists()] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The reader's folder: it has everything that the pages require, except models."""
    demo.copy_photographs(tmp_path / "photographs")
    for pet in ("cat.jpg", "dog.jpg"):
        (tmp_path / pet).write_bytes(b"a photograph")
    (tmp_path / "labels.txt").write_text("".join(f"thing {number}\n" for number in range(1001)))
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "token").write_text("a token\n")
    (tmp_path / "models").mkdir()
    return tmp_path


@pytest.fixture
def port() -> int:
    """A port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] if asks_for(page) or name(page) in LONG else [], id=name(page))
        for page in FOLLOWED_HERE
    ],
)
def test_the_page_does_what_it_says(page: Path, folder: Path, port: int, request: pytest.FixtureRequest) -> None:
    blocks = guide.blocks(page)
    for place in asks_for(page):
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).symlink_to(request.getfixturevalue(MODELS[place]))
    instead = {"8500": str(port)}
    manifest = folder / "models" / "pnasnet" / "1" / "assets.extra" / "export.json"
    if manifest.exists():
        instead["HEX"] = hashlib.sha256(manifest.read_bytes()).hexdigest()
    with guide.Reader(folder, instead, {}) as reader:
        if not any(block.mark == "background" for block in blocks):
            reader.enter_context(FakeServer(lambda image: {"cat": 0.9, "dog": 0.1, "bird": 0.0}, port=port))
        reader.follow(blocks)
