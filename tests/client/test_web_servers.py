"""The guide's web services, as uvicorn and gunicorn run them; and callers that wait no longer."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from client.test_guides import SERVICE, blocks, three_classes
from hubserve import AsyncClient, Client, DeadlineExceeded, UsageError
from hubserve.testing import FakeServer, Fault, Request

PATIENCE = 120.0


@contextmanager
def running(module: str, folder: Path, server: FakeServer, *command: str) -> Iterator[str]:
    """Runs a program of the guide, and gives its address when it answers."""
    (folder / f"{module}.py").write_text(blocks(SERVICE, server)[f"{module}.py"])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [part.replace("PORT", str(port)) for part in command]
    with subprocess.Popen([sys.executable, "-m", *arguments], cwd=folder, env={**os.environ}) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                try:
                    if asked(url, "/healthz")[0] == 200:
                        break
                except OSError:
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def asked(url: str, path: str, data: bytes | None = None) -> tuple[int, object]:
    try:
        with urllib.request.urlopen(url + path, data, timeout=60) as answer:  # noqa: S310 - of this test
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


UVICORN = ("uvicorn", "fastapi_service:app", "--port", "PORT", "--log-level", "warning")
GUNICORN = ("gunicorn", "--bind", "127.0.0.1:PORT", "--threads", "4", "--log-level", "error", "flask_service:app")
SERVERS = {
    "uvicorn": ("fastapi_service", UVICORN),
    "uvicorn, two workers": ("fastapi_service", (*UVICORN, "--workers", "2")),
    "gunicorn": ("flask_service", GUNICORN),
    "gunicorn, two workers, preloaded": ("flask_service", (*GUNICORN, "--workers", "2", "--preload")),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_a_service_answers_many_visitors_and_says_when_it_is_ready(kind: str, tmp_path: Path) -> None:
    module, command = SERVERS[kind]
    pytest.importorskip(command[0])
    pytest.importorskip(module.removesuffix("_service"))
    with FakeServer(three_classes) as server:
        server.ready = False
        with running(module, tmp_path, server, *command) as url:
            assert asked(url, "/readyz")[0] == 503
            server.ready = True
            assert asked(url, "/readyz") == (200, {"status": "ready"})
            bodies = [b"image %d" % number for number in range(40)]
            with ThreadPoolExecutor(16) as visitors:
                answers = list(visitors.map(lambda body: asked(url, "/classify", body), bodies))
            assert [status for status, _ in answers] == [200] * 40
            assert [answer[0]["label"] for _, answer in answers] == [f"image {number}" for number in range(40)]
            server.then(Fault("INTERNAL", "it broke"), times=2)
            assert asked(url, "/classify", b"image")[0] in (502, 503)


def held() -> tuple[FakeServer, threading.Event]:
    release = threading.Event()

    def before(request: Request) -> None:
        if b"wait" in request.images:
            release.wait()

    return FakeServer(before=before), release


def test_a_caller_who_waits_no_longer_gets_a_result_and_disturbs_no_other() -> None:
    server, release = held()
    with server, Client(server.target, model="m") as client, client.classify_batcher(max_delay=0.2) as batcher:
        with ThreadPoolExecutor(1) as others:
            other = others.submit(batcher.ask, b"wait")
            late = batcher.ask(b"cat", timeout=0.3)
            release.set()
            assert other.result().label == "wait"
        assert isinstance(late.exception, DeadlineExceeded)
        assert "no answer within the 0.3 s of this call" in late.error
        assert batcher.ask(b"dog", timeout=60).label == "dog"
        with pytest.raises(UsageError, match="timeout"):
            batcher.ask(b"dog", timeout=0)


def test_a_task_that_waits_no_longer_gets_a_result_and_disturbs_no_other() -> None:
    server, release = held()

    async def run() -> None:
        async with AsyncClient(server.target, model="m") as client, client.classify_batcher(max_delay=0.2) as batcher:
            other = asyncio.ensure_future(batcher.ask(b"wait"))
            late = await batcher.ask(b"cat", timeout=0.3)
            release.set()
            assert (await other).label == "wait"
            assert isinstance(late.exception, DeadlineExceeded)
            assert (await batcher.ask(b"dog", timeout=60)).label == "dog"
            with pytest.raises(UsageError, match="timeout"):
                await batcher.ask(b"dog", timeout=-1)

    with server:
        asyncio.run(run())
