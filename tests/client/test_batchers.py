"""Single images of many callers, in shared requests."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from client.shells import SHELLS
from hubserve import AsyncClient, Client, ClientClosed, HubserveError, ImageError, Retry, UnsuitableModel, UsageError
from hubserve.testing import FakeServer, Fault, Request

QUICK = Retry(first_delay=0.001)


def ask_at_once(
    shell: str, target: str, images: list[Any], verb: str = "classify_batcher", **options: Any
) -> list[Any]:
    """One caller for each image, all at once; what a caller gets, or the error that is raised."""
    if shell == "threads":
        with Client(target, model="m", retry=QUICK) as client, getattr(client, verb)(**options) as batcher:

            def ask(image: Any) -> Any:
                try:
                    return batcher.ask(image)
                except HubserveError as error:
                    return error

            with ThreadPoolExecutor(len(images)) as callers:
                return list(callers.map(ask, images))

    async def run() -> list[Any]:
        async with AsyncClient(target, model="m", retry=QUICK) as client, getattr(client, verb)(**options) as batcher:
            return await asyncio.gather(*(batcher.ask(image) for image in images), return_exceptions=True)

    return asyncio.run(run())


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


@pytest.mark.parametrize("shell", SHELLS)
def test_callers_share_requests_and_each_gets_its_own_answer(shell: str):
    with FakeServer() as server:
        results = ask_at_once(shell, server.target, numbered(40), max_delay=2.0, max_size=20)

    assert [result.label for result in results] == [str(number) for number in range(40)]
    assert [len(request.images) for request in server.requests] == [20, 20]
    assert {(result.index, result.source) for result in results} == {(0, "image 0")}


@pytest.mark.parametrize("shell", SHELLS)
def test_one_caller_waits_no_longer_than_the_delay(shell: str):
    with FakeServer() as server:
        (result,) = ask_at_once(shell, server.target, [b"cat"], max_delay=0.001, max_size=1000)

    assert result.label == "cat"


@pytest.mark.parametrize("shell", SHELLS)
def test_trouble_is_tried_again_and_a_bad_image_found(shell: str, tmp_path: Path):
    def refuse(request: Request) -> None:
        if b"7" in request.images:
            raise Fault("INVALID_ARGUMENT", "no image")

    with FakeServer(before=refuse) as server:
        server.then(Fault("UNAVAILABLE"))
        results = ask_at_once(shell, server.target, [*numbered(12), tmp_path / "gone.jpg"], max_delay=0.5)

    assert [result.label for result in results[:7]] == [str(number) for number in range(7)]
    assert "no image" in results[7].error
    assert [result.label for result in results[8:12]] == ["8", "9", "10", "11"]
    assert isinstance(results[12].exception, ImageError)


@pytest.mark.parametrize("shell", SHELLS)
def test_feature_vectors_are_asked_for_in_the_same_way(shell: str):
    with FakeServer(features=lambda image: [float(image), 0.5]) as server:
        results = ask_at_once(shell, server.target, numbered(5), "features_batcher", max_delay=0.2)
        wrong = ask_at_once(shell, server.target, numbered(3), max_delay=0.2)

    assert [result.vector.tolist() for result in results] == [[float(number), 0.5] for number in range(5)]
    assert {type(error) for error in wrong} == {UnsuitableModel}


def test_a_cancelled_caller_does_not_disturb_the_others():
    released = threading.Event()

    def hold(request: Request) -> None:
        released.wait(20)

    async def run() -> list[Any]:
        with FakeServer(before=hold) as server:
            async with AsyncClient(server.target, model="m") as client, client.classify_batcher() as batcher:
                callers = [asyncio.create_task(batcher.ask(image)) for image in numbered(6)]
                while not server.requests:
                    await asyncio.sleep(0.01)
                callers[3].cancel()
                await asyncio.sleep(0)
                released.set()
                return await asyncio.gather(*callers, return_exceptions=True)

    results = asyncio.run(run())

    assert isinstance(results.pop(3), asyncio.CancelledError)
    assert [result.label for result in results] == ["0", "1", "2", "4", "5"]


def test_a_wrong_question_does_not_end_the_batcher():
    with (
        FakeServer(features=lambda image: [1.0]) as server,
        Client(server.target, model="m") as client,
        client.classify_batcher() as batcher,
    ):
        for _ in range(3):
            with pytest.raises(UnsuitableModel):
                batcher.ask(b"cat")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_closed_client_and_a_closed_batcher_say_so(shell: str):
    async def of_tasks(target: str) -> None:
        client = AsyncClient(target, model="m")
        batcher = client.classify_batcher()
        assert (await batcher.ask(b"cat")).label == "cat"
        await client.close()
        with pytest.raises(ClientClosed):
            await batcher.ask(b"cat")
        await batcher.close()
        await batcher.close()
        with pytest.raises(UsageError, match="the batcher is closed"):
            await batcher.ask(b"cat")

    def of_threads(target: str) -> None:
        client = Client(target, model="m")
        batcher = client.classify_batcher()
        assert batcher.ask(b"cat").label == "cat"
        client.close()
        with pytest.raises(ClientClosed):
            batcher.ask(b"cat")
        batcher.close()
        batcher.close()
        with pytest.raises(UsageError, match="the batcher is closed"):
            batcher.ask(b"cat")

    with FakeServer() as server:
        if shell == "asyncio":
            asyncio.run(of_tasks(server.target))
        else:
            of_threads(server.target)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda client: client.classify_batcher(max_delay=-1), "max_delay"),
        (lambda client: client.classify_batcher(max_size=0), "max_size"),
        (lambda client: client.classify_batcher(top_k=0), "top_k"),
        (lambda client: client.features_batcher(max_delay=-1), "max_delay"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_arguments_that_make_no_sense_are_refused(kind: type, make: Callable[[Any], object], words: str):
    with pytest.raises(UsageError, match=words):
        make(kind("localhost:1", model="m"))
