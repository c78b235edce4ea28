"""The site: it builds without a warning, loads nothing from other hosts, and agrees with the code."""

import ast
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest
from playwright.sync_api import sync_playwright
from sphinx.util.inventory import InventoryFile

import hubserve
import hubserve.testing
import hubserve_export
from hubserve_cli.main import main
from support.guide import ROOT

CHROMIUM = shutil.which("chromium")
# Addresses that a browser loads without a click.
_LOADED = {"src", "srcset", "poster", "data"}
_CSS_LOADS = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])\s*((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` builds it, by this Python."""
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    output = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        ["scripts/build-docs", output],
        cwd=ROOT,
        env={**os.environ, "VENV": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return output


def test_the_makefile_builds_it_so() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^docs: .*\n\tVENV=\$\(VENV\) scripts/build-docs ", makefile, re.MULTILINE)


class Loads(HTMLParser):
    """The addresses that a browser loads for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        loaded = _LOADED | ({"href"} if tag == "link" else set())
        for name, value in attributes:
            if name in loaded and value:
                self.found.append(value)
            elif name == "style" and value:
                self.found += _CSS_LOADS.findall(value)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: scripts/install-chromium brings it")
def test_no_code_is_cut_and_every_picture_is_there_in_a_window_of_1400_pixels(site: Path) -> None:
    cut, broken = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        # The first page only leads to another one.
        for file in sorted({*site.rglob("*.html")} - {site / "index.html"}):
            page.goto(file.as_uri())
            wide = "[...document.querySelectorAll('pre')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
            cut += [file.name] * page.evaluate(wide)
            broken += page.evaluate("[...document.images].filter(e => !e.naturalWidth).map(e => e.src)")
        browser.close()
    assert (cut, broken) == ([], [])


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    external = []
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        text = page.read_text(encoding="utf-8")
        reader = Loads()
        reader.feed(text)
        styles = " ".join(re.findall(r"<style.*?</style>", text, re.DOTALL))
        external += [
            (page.name, address)
            for address in [*reader.found, *_CSS_LOADS.findall(styles)]
            if re.match(r"(?:https?:)?//", address)
        ]
    for style in site.rglob("*.css"):
        external += [(style.name, address) for address in _CSS_LOADS.findall(style.read_text(encoding="utf-8"))]
    assert external == []


def test_a_page_that_loads_from_elsewhere_would_be_noticed() -> None:
    reader = Loads()
    reader.feed('<script src="https://x.example/a.js"></script><a href="https://x.example">x</a>')
    assert reader.found == ["https://x.example/a.js"]
    assert _CSS_LOADS.findall("@import 'https://x.example/a.css'; b { src: url(//x.example/f.woff) }") == [
        "https://x.example/a.css",
        "//x.example/f.woff",
    ]


def public_names(module: str) -> set[str]:
    """Return `__all__` of a module of the library, without importing it: an engine may not be installed here."""
    tree = ast.parse((ROOT / "client" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    (names,) = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"]
    return set(ast.literal_eval(names))


@pytest.mark.parametrize(
    ("package", "public"),
    [
        (package.__name__, {*package.__all__} - {"__version__"})
        for package in (hubserve, hubserve.testing, hubserve_export)
    ]
    + [(f"hubserve.{engine}", public_names(f"hubserve.{engine}")) for engine in ("spark", "ray", "beam")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_reference_has_the_public_names_and_no_others(site: Path, package: str, public: set[str]) -> None:
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    documented = {
        item
        for kind in ("py:class", "py:exception", "py:data", "py:function")
        for item in inventory.get(kind, ())
        if item.rpartition(".")[0] == package
    }
    assert documented == {f"{package}.{name}" for name in public}


def test_the_reference_has_every_subcommand_with_every_option(site: Path) -> None:
    text = (site / "docs" / "reference" / "command.html").read_text(encoding="utf-8")
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert f'id="hubserve-{name}"' in text
        for option in (option for parameter in command.params for option in parameter.opts if option.startswith("--")):
            assert f'id="cmdoption-hubserve-{name}-{option.strip("-")}"' in text, (name, option)
