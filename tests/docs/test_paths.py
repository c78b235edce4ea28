"""Files and folders of the repository that a page names exist."""

import re
from pathlib import Path

import pytest

from support import guide

PAGES = [*guide.pages(), guide.ROOT / "CONTRIBUTING.md", *sorted((guide.ROOT / "tests").glob("*/README.md"))]
TOP = "benchmarks|client|docs|export|k8s|model|scripts|serve|tests|\\.ci|\\.github"
NAMED = re.compile(rf"`((?:{TOP})/[\w./-]*)`")


def named(text: str) -> list[str]:
    return [path for path in NAMED.findall(text) if "NAME" not in path]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(guide.ROOT)))
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    assert [path for path in named(page.read_text(encoding="utf-8")) if not (guide.ROOT / path).exists()] == []


def test_the_check_finds_paths() -> None:
    assert named("see `client/hubserve/_schedule/retry.py`, `k8s/` and `make docs`") == [
        "client/hubserve/_schedule/retry.py",
        "k8s/",
    ]
