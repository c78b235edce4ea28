"""`hubserve classify --html`: the page beside the results, however the run ends."""

import io
import re
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from client import bulk
from hubserve.testing import FakeServer, Request
from hubserve_cli.common.words import to_install


def seen(image: bytes) -> dict[str, float] | int:
    """Every image is a cat, except `bad`, which gets status 1."""
    return 1 if image == b"bad" else {"cat": 0.75, "dog": 0.125}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(seen) as server:
        yield server


def test_a_page_stands_beside_the_results(server: FakeServer, photograph: Path, tmp_path: Path) -> None:
    folder = bulk.images(tmp_path / "images", 2)
    (folder / "bad.jpg").write_bytes(b"bad")
    page = tmp_path / "run.html"
    result = bulk.classify(server, folder, photograph, "--html", page)
    assert result.exit_code == 3, result.stderr
    assert len(bulk.sources(result.stdout_bytes)) == 4
    document = page.read_text()
    assert "4 images, classified by" in document
    assert server.target in document
    assert document.count('class="card"') == 3
    assert document.count('src="data:image/') == 1
    assert "<b>1 image:</b> the server cannot decode it: this is text" in document
    assert "ended before its time" not in document


def test_images_out_of_an_archive_have_thumbnails(server: FakeServer, photograph: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        for name, data in (("cat.png", photograph.read_bytes()), ("bad.png", b"bad"), ("cat2.png", b"x")):
            (member := tarfile.TarInfo(name)).size = len(data)
            archive.addfile(member, io.BytesIO(data))
    bulk.classify(server, tmp_path / "photos.tar", "--html", tmp_path / "run.html")
    document = (tmp_path / "run.html").read_text()
    cat = next(card for card in document.split('<li class="card"') if "cat.png" in card)
    assert "451&nbsp;×&nbsp;300" in cat
    assert document.count('src="data:image/') == 1


def test_a_run_that_is_stopped_leaves_a_page_about_what_was_done(tmp_path: Path) -> None:
    folder = bulk.images(tmp_path / "images", 12)
    arrived, released = threading.Event(), threading.Event()

    def hold(request: Request) -> None:
        if b"image 11" in request.images:
            arrived.set()
            released.wait()

    page, results = tmp_path / "run.html", tmp_path / "results.jsonl"
    with FakeServer(seen, before=hold) as server:
        command = [sys.executable, "-m", "hubserve", "classify", folder, "--server", server.target, "--model", "m"]
        # The last image is sent when all others have their answers.
        command += ["--batch-size", "1", "--concurrency", "1", "--output", results, "--html", page]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert arrived.wait(120)
            process.send_signal(signal.SIGINT)
            errors = process.communicate()[1]
        released.set()
    assert process.returncode == 130, errors
    document = page.read_text()
    assert "The run ended before its time" in document
    assert document.count('class="card"') == len(bulk.sources(results)) >= 10


def test_a_page_that_cannot_be_is_wrong_usage_before_anything_is_sent(server: FakeServer, tmp_path: Path) -> None:
    folder = bulk.images(tmp_path / "images", 1)
    result = bulk.classify(server, folder, "--html", folder / "0000.jpg")
    assert (result.exit_code, server.requests) == (2, [])
    assert "exists, and is not a page that hubserve wrote" in result.stderr
    assert (folder / "0000.jpg").read_bytes() == b"image 0"


def test_without_pillow_the_extra_is_named(server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    result = bulk.classify(server, bulk.images(tmp_path / "images", 1), "--html", tmp_path / "run.html")
    assert result.exit_code == 2
    assert to_install("html") in result.stderr


def test_without_the_option_pillow_is_not_needed(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert bulk.classify(server, bulk.images(tmp_path / "images", 1)).exit_code == 0


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_after_a_resumed_run_the_page_and_the_summary_are_about_the_whole_run(
    suffix: str, server: FakeServer, photograph: Path, tmp_path: Path
) -> None:
    folder = bulk.images(tmp_path / "images", 3)
    (folder / "bad.jpg").write_bytes(b"bad")
    (folder / "first.jpg").write_bytes(photograph.read_bytes())
    output, page = tmp_path / f"results.{suffix}", tmp_path / "run.html"
    again = ("--output", output, "--resume", "--html", page)
    assert bulk.classify(server, folder, *again).exit_code == 3
    if suffix != "parquet":
        (folder / "new.jpg").write_bytes(b"new")
    page.unlink()
    result = bulk.classify(server, folder, *again)
    assert result.exit_code == 3
    document = page.read_text()
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd.*?>(?:<a.*?>)?(.*?)<", document))
    if suffix == "parquet":
        assert "4 of 5 images were classified by earlier runs" in result.stderr
        assert (facts["Images"], facts["Classified"], facts["Failed"]) == ("5", "4", "1")
        assert "5 of its 5 images come from the records" in document
    else:
        assert "With earlier runs: 5 of 6 images classified" in result.stderr
        assert (facts["Images"], facts["Classified"], facts["Failed"]) == ("6", "5", "1")
        assert "5 of its 6 images come from the records" in document
        assert document.count("request&nbsp;") == 1
    assert document.count('class="card"') == int(facts["Classified"])
    assert document.count('src="data:image/') == 1
    assert "<b>1 image:</b> the server cannot decode it: this is text" in document
    assert "75.0%" in document


def test_a_page_of_a_run_with_nothing_left_to_do_shows_its_records(server: FakeServer, tmp_path: Path) -> None:
    folder, output, page = bulk.images(tmp_path / "images", 3), tmp_path / "results.jsonl", tmp_path / "run.html"
    assert bulk.classify(server, folder, "--output", output).exit_code == 0
    asked = len(server.requests)
    assert bulk.classify(server, folder, "--output", output, "--resume", "--html", page).exit_code == 0
    assert len(server.requests) == asked
    assert "3 images, classified by" in page.read_text()
    assert "Throughput</dt>" not in page.read_text().split("</dl>")[0]
