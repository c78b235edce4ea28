"""The pages say what is there: links, paths, components, ports."""

import re

import pytest

from k8s.manifests import COMPONENTS, K8S, OVERLAYS, ROOT
from support.guide import blocks, links

PAGES = (K8S / "README.md", ROOT / "docs" / "kubernetes.md")


def wrong_ports(text: str) -> list[str]:
    """Lines that take one port for the other: 8500 is gRPC, 8501 is REST."""
    lines = text.splitlines()
    return [
        line
        for line in lines
        if ("8500" in line and "8501" not in line and re.search(r"\bREST\b", line))
        or ("8501" in line and "8500" not in line and re.search(r"\bgRPC\b", line))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    assert links(page)
    assert [link for link in links(page) if not link.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_in_a_command_is_there(page):
    for block in blocks(page):
        for path in re.findall(r"\b(?:k8s|scripts)/[\w/.-]+", block.text):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_port_is_not_taken_for_the_other(page):
    assert wrong_ports(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("line", ["port 8500 is REST", "gRPC on 8501"])
def test_a_port_taken_for_the_other_is_noticed(line):
    assert wrong_ports(line) == [line]


def test_the_readme_has_a_need_for_each_component_and_no_other():
    readme = PAGES[0].read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| [^|]+ \| `([\w-]+)` \|$", readme, re.MULTILINE)) == list(COMPONENTS)


def test_the_overlays_are_named():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in ("cpu", "gpu"):
        assert f"k8s/overlays/{name}" in text
    assert set(OVERLAYS) == {"cpu", "gpu", "production"}
