"""The two guides of the client, followed exactly with a few images."""

import asyncio
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hubserve.testing import FakeServer, Fault, Request
from support import guide

MILLION = guide.ROOT / "docs" / "classify-a-million-images.md"
SERVICE = guide.ROOT / "docs" / "call-it-from-a-web-service.md"
SERVER = "dns:///pnasnet-headless:8500"


def blocks(page: Path, server: FakeServer) -> dict[str, str]:
    """The page's files by name, with our server in place of the page's."""
    texts = [block.text.replace(SERVER, server.target) for block in guide.blocks(page) if block.language == "python"]
    return {text.partition("\n")[0].removeprefix("# "): text for text in texts}


@pytest.mark.parametrize("page", [MILLION, SERVICE], ids=lambda page: page.stem)
def test_what_a_guide_links_to_is_there(page: Path):
    assert all(link.exists() for link in guide.links(page))


def test_a_million_images_are_classified_and_a_second_start_goes_on(tmp_path: Path):
    (tmp_path / "images" / "below").mkdir(parents=True)
    for number in range(70):
        (tmp_path / "images" / "below" / f"{number:02}.jpg").write_bytes(b"image %d" % number)
    (tmp_path / "images" / "empty.jpg").touch()

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "million.py"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    def refuse(request: Request) -> None:
        if b"image 5" in request.images:
            raise Fault("INVALID_ARGUMENT", "cannot decode")
        # Of the first start, and once more alone.
        if b"image 60" in request.images and len(broken) < 2:
            broken.append(request)
            raise Fault("INTERNAL", "it broke")

    broken: list[Request] = []
    with FakeServer(three_classes, before=refuse) as server:
        (tmp_path / "million.py").write_text(blocks(MILLION, server)["million.py"])
        first = run()
        # Killed while it wrote.
        with (tmp_path / "results.jsonl").open("a") as results:
            results.write('{"source": "images/be')
        second = run()

    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert (first.returncode, "images got no answer: start again" in first.stderr) == (1, True)
    assert (second.returncode, second.stderr) == (0, "")
    assert sorted(line["source"] for line in lines) == sorted(
        ["images/empty.jpg", *(f"images/below/{number:02}.jpg" for number in range(70))]
    )
    good = [line for line in lines if not line["error"]]
    assert all(line["classes"][0] == f"image {int(Path(line['source']).stem)}" for line in good)
    assert sorted(line["source"] for line in lines if line["error"]) == ["images/below/05.jpg", "images/empty.jpg"]


def three_classes(image: bytes) -> dict[str, float] | int:
    """The image's own text first, and two others; `bad` is not an image."""
    return 1 if image == b"bad" else {image.decode(): 0.5, "second": 0.25, "third": 0.125}


class Visitor:
    """The messages of an ASGI server for one request body, or for the application's life."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = list(messages)
        self.answers: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return self._messages.pop(0)

    async def send(self, message: dict[str, Any]) -> None:
        self.answers.append(message)

    @property
    def answer(self) -> tuple[int, Any]:
        return self.answers[0]["status"], json.loads(self.answers[1]["body"])


def test_the_web_service_answers_many_visitors_in_few_requests(tmp_path: Path):
    async def visit(app: Any, *bodies: bytes) -> list[tuple[int, Any]]:
        visitors = [
            Visitor({"body": body[:2], "more_body": True}, {"body": body[2:], "more_body": False}) for body in bodies
        ]
        await asyncio.gather(*(app({"type": "http"}, visitor.receive, visitor.send) for visitor in visitors))
        return [visitor.answer for visitor in visitors]

    async def run() -> None:
        with FakeServer(three_classes) as server:
            (tmp_path / "service.py").write_text(blocks(SERVICE, server)["service.py"])
            app = runpy.run_path(str(tmp_path / "service.py"))["app"]

            answers = await visit(app, *(b"image %d" % number for number in range(30)), b"bad")
            assert [status for status, _ in answers] == [200] * 30 + [422]
            assert [answer[0]["label"] for _, answer in answers[:30]] == [f"image {number}" for number in range(30)]
            assert answers[7][1][1:] == [{"label": "second", "score": 0.25}, {"label": "third", "score": 0.125}]
            assert "cannot decode" in answers[30][1]
            assert len(server.requests) < 10
            server.then(*[Fault("INTERNAL", "it broke")] * 2)
            assert await visit(app, b"image") == [(502, "the model does not answer")]
            huge = Visitor({"body": b"x" * (20 * 2**20), "more_body": True}, {"body": b"x", "more_body": True})
            await app({"type": "http"}, huge.receive, huge.send)
            assert huge.answer == (413, "a photograph has at most 20971520 bytes")
            life = Visitor({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
            await app({"type": "lifespan"}, life.receive, life.send)
            assert [answer["type"] for answer in life.answers] == [
                "lifespan.startup.complete",
                "lifespan.shutdown.complete",
            ]

    asyncio.run(run())


def test_threads_share_a_batcher_and_the_test_in_the_guide_passes(tmp_path: Path):
    with FakeServer(three_classes) as server:
        files = blocks(SERVICE, server)
        for name in ("threads.py", "test_view.py"):
            (tmp_path / name).write_text(files[name])
        module = runpy.run_path(str(tmp_path / "threads.py"))
        assert module["view"](b"cat") == "cat"
        module["batcher"].close()
        module["client"].close()

    runpy.run_path(str(tmp_path / "test_view.py"))["test_a_moment_of_trouble_is_not_noticed"]()
