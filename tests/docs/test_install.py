"""The Install page names every extra, and the readme of the metadata works outside of the repository."""

import importlib.util
import re

import pytest

from support import guide

TEXT = (guide.ROOT / "pyproject.toml").read_text(encoding="utf-8")
EXTRAS = re.findall(
    r"^(\w+) = \[", TEXT.partition("[project.optional-dependencies]")[2].partition("\n[")[0], re.MULTILINE
)
PAGE = (guide.ROOT / "docs" / "install.md").read_text(encoding="utf-8")
OURS = {"dev", "docs"}
# hubserve is not on an index: such a command would fail, or install what is not hubserve.
FROM_AN_INDEX = re.compile(r"pip install (?:['\"]?hubserve(?:\[[\w,]+\])?['\"]?)(?! @)(?:\s|$|`)")


def test_every_extra_for_users_has_its_size() -> None:
    table = dict(re.findall(r"^\| (?:`([\w,]+)`|\(none\)) \| .* \| ([\d,]+ MB|not measured) \|$", PAGE, re.MULTILINE))
    assert set(EXTRAS) - OURS <= table.keys()
    assert "" in table


@pytest.mark.parametrize("page", guide.pages(), ids=lambda page: str(page.relative_to(guide.ROOT)))
def test_no_page_installs_from_an_index(page) -> None:
    # Troubleshooting quotes messages, of which the command says the way that works here.
    text = re.sub(r"^(?:### )?`.*`$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert FROM_AN_INDEX.findall(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pip install hubserve", True),
        ("pip install 'hubserve[export]'", True),
        ("pip install 'hubserve[export] @ file:///x.whl'", False),
        ("pip install '.[export]'", False),
    ],
)
def test_the_check_tells_an_index_from_a_file(text: str, found: bool) -> None:
    assert bool(FROM_AN_INDEX.search(text)) is found


def test_the_readme_of_the_metadata_has_no_relative_link() -> None:
    spec = importlib.util.spec_from_file_location("hatch_build", guide.ROOT / "hatch_build.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    text = hook.absolute((guide.ROOT / "README.md").read_text(encoding="utf-8"), "https://example.com/hubserve")
    assert "](https://example.com/hubserve/blob/main/docs/install.md)" in text
    assert 'src="https://example.com/hubserve/raw/main/docs/pictures/run-page-light.webp"' in text
    assert re.findall(r"\]\((?!https://|#)[^)]+\)|src(?:set)?=\"(?!https://)[^\"]+", text) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_of_the_readme_is_there_and_small(scheme: str) -> None:
    file = guide.ROOT / "docs" / "pictures" / f"run-page-{scheme}.webp"
    assert file.name in (guide.ROOT / "README.md").read_text(encoding="utf-8")
    assert file.stat().st_size < 200_000
