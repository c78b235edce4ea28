"""The pages say what is there: links, paths, components, ports."""

import re
import subprocess
import sys

import pytest

from k8s.manifests import COMPONENTS, JOBS, K8S, OVERLAYS, ROOT, overlay
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


@pytest.mark.parametrize(("title", "names"), [("I need ...", COMPONENTS), ("Jobs", JOBS)])
def test_the_readme_has_a_need_for_each_component_and_job_and_no_other(title, names):
    readme = PAGES[0].read_text(encoding="utf-8")
    section = readme.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| [^|]+ \| `([\w-]+)` \|$", section, re.MULTILINE)) == list(names)


def test_the_overlays_are_named():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in ("cpu", "gpu"):
        assert f"k8s/overlays/{name}" in text
    assert set(OVERLAYS) == {"cpu", "gpu", "production"}


def test_the_capacity_that_is_shown_is_what_the_command_prints():
    command = [sys.executable, str(ROOT / "benchmarks" / "capacity.py")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (shown,) = (block.text for block in blocks(PAGES[1]) if block.language == "text")
    assert shown == printed
    # The table of steps by hand.
    assert "assume 8 TFLOP/s: G = 160" in PAGES[1].read_text(encoding="utf-8")
    assert re.search(r"^\| 1 \| 160 \|.*\| 1\.6 \|", printed, re.MULTILINE)
    assert "10 replicas, one of them to spare; a million images: 2.3 GPU-hours" in printed


def test_the_scaling_threshold_is_the_one_that_the_page_works_out():
    page = PAGES[1].read_text(encoding="utf-8").replace("\n", " ")
    (threads,) = re.findall(r"num_batch_threads \{ value: (\d+) \}", (K8S / "base/config/batching.config").read_text())
    (trigger,) = overlay("production").one("ScaledObject")["spec"]["triggers"]
    largest = 32
    assert trigger["metadata"]["threshold"] == f"{0.75 * int(threads) * largest:.0f}" == "48"
    assert "0.75 x num_batch_threads x max_batch_size images in flight: 0.75 x 2 x 32 = 48" in page
