"""Images that take all of a server's time: each fails alone, is named, and does not delay a later run."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from client.bulk import classify, documents, images, sources
from hubserve.testing import FakeServer, Request

POISON = {"0003", "0250", "0499"}


@contextmanager
def poisoned(poison: set[str], requests: list[int] | None = None) -> Iterator[tuple[FakeServer, set[bytes]]]:
    """A server that does not answer requests with one of these images; tests may change the set."""
    contents = {b"image %d" % int(name) for name in poison}
    over = threading.Event()

    def work(request: Request) -> None:
        if contents & set(request.images):
            over.wait(120)

    # Their threads are gone only when the test is over.
    with FakeServer(before=work, threads=64) as server:
        try:
            yield server, contents
        finally:
            over.set()


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_three_poison_files_among_five_hundred_cost_no_other_image_its_answer(tmp_path: Path, suffix: str) -> None:
    folder = images(tmp_path / "images", 500 if suffix == "jsonl" else 24)
    poison = POISON if suffix == "jsonl" else {"0003"}
    file = tmp_path / f"results.{suffix}"
    named = [str(folder / f"{name}.jpg") for name in sorted(poison)]
    options = ["--output", file, "--batch-size", 8, "--timeout", 1, "--resume"]
    with poisoned(poison) as (server, contents):
        first = classify(server, folder, *options)
        assert first.exit_code == 3, first.output
        assert f"{len(poison)} not classified, 0 without an answer:" in first.stderr
        assert "the server answers other images, and missed the deadline for this one twice" in first.stderr
        assert all(name in first.stderr for name in named)
        run = json.loads((tmp_path / f"results.{suffix}.run.json").read_text())
        assert sorted(run["given_up"]) == named
        if suffix == "jsonl":
            assert sorted(sources(file)) == sorted(str(path) for path in folder.iterdir())
            assert [record["source"] for record in documents(file) if record["error"]] == named
        asked = len(server.requests)
        # A later run gets past them, and asks nothing.
        second = classify(server, folder, *options)
        assert (second.exit_code, len(server.requests)) == (3, asked)
        whole = file.read_bytes()
        assert json.loads((tmp_path / f"results.{suffix}.run.json").read_text())["given_up"] == run["given_up"]

        contents.clear()
        third = classify(server, folder, *options, "--retry-failed")
        assert third.exit_code == 0, third.output
        assert {image for request in server.requests[asked:] for image in request.images} == {
            b"image %d" % int(name) for name in poison
        }
        assert file.read_bytes() != whole
        assert json.loads((tmp_path / f"results.{suffix}.run.json").read_text())["given_up"] == []
        assert file.read_text().count(".jpg") == len(list(folder.iterdir()))


def test_retry_failed_asks_again_for_every_image_that_was_not_classified(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 5)
    (folder / "0002.jpg").write_bytes(b"")
    file = tmp_path / "results.jsonl"
    with FakeServer() as server:
        assert classify(server, folder, "--output", file).exit_code == 3
        (folder / "0002.jpg").write_bytes(b"image 2")
        assert classify(server, folder, "--output", file, "--resume").exit_code == 3
        assert classify(server, folder, "--output", file, "--resume", "--retry-failed").exit_code == 0
    assert sorted(sources(file)) == sorted(str(path) for path in folder.iterdir())
    assert [record["error"] for record in documents(file)] == [None] * 5


def test_retry_failed_needs_an_output_to_go_on_with(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 1)
    with FakeServer() as server:
        result = classify(server, folder, "--output", tmp_path / "a.jsonl", "--retry-failed")
        assert result.exit_code == 2
        assert "give --resume and --output too" in result.stderr
        finished = tmp_path / "a.parquet"
        assert classify(server, folder, "--output", finished).exit_code == 0
        result = classify(server, folder, "--output", finished, "--resume", "--retry-failed")
    assert (result.exit_code, "is finished, and nothing is added to it" in result.stderr) == (1, True)
