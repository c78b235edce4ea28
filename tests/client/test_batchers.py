"""Single images of many callers, in shared requests."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from client.shells import SHELLS
from client.simulation import read
from hubserve import (
    AsyncBatcher,
    AsyncClient,
    Batcher,
    Classification,
    Client,
    ClientClosed,
    HubserveError,
    ImageError,
    Retry,
    UnsuitableModel,
    UsageError,
)
from hubserve._images.encode import Encode, encode
from hubserve._schedule import run
from hubserve._schedule.batching import Capacity, Limits
from hubserve._schedule.retry import Contact
from hubserve._schedule.run import Run
from hubserve._schedule.window import Fixed
from hubserve.testing import FakeServer, Fault, Request

QUICK = Retry(first_delay=0.001)
# All that a batcher asks of its client's server.
SERVER: Any = SimpleNamespace(sleep=asyncio.sleep)


async def as_they_are() -> Encode:
    return encode


def new_run(window: Fixed) -> Run[Classification]:
    return Run(
        read=read,
        kind=Classification,
        capacity=Capacity(Limits(1, 100)),
        contact=Contact(QUICK),
        window=window,
        ordered=False,
        linger=0.0,
    )


def ask_at_once(
    shell: str, target: str, images: list[Any], verb: str = "classify_batcher", **options: Any
) -> list[Any]:
    """One caller for each image, all at once; returns the result of each caller, or its error."""
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
def test_failures_are_retried_and_a_bad_image_found(shell: str, tmp_path: Path):
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


def test_who_asks_while_others_get_their_error_is_answered():
    async def course() -> str | None:
        giving_up, given_up = asyncio.Event(), asyncio.Event()

        async def send(request: run.Request) -> bytes:
            if request.images[0].data == b"bad":
                raise RuntimeError("a defect")
            if request.images[0].data == b"slow":
                try:
                    await asyncio.Event().wait()
                finally:
                    giving_up.set()
                    await given_up.wait()
            return request.images[0].data + b" "

        batcher = AsyncBatcher(lambda: new_run(Fixed(2)), send, SERVER, as_they_are)
        others = [asyncio.create_task(batcher.ask(image)) for image in (b"slow", b"bad")]
        await asyncio.wait_for(giving_up.wait(), 20)
        late = asyncio.create_task(batcher.ask(b"late"))
        await asyncio.sleep(0)
        given_up.set()
        label = (await asyncio.wait_for(late, 20)).label
        assert [str(error) for error in await asyncio.gather(*others, return_exceptions=True)] == ["a defect"] * 2
        await batcher.close()
        return label

    assert asyncio.run(course()) == "late"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_defect_reaches_those_who_wait_and_the_next_are_answered(shell: str):
    error = RuntimeError("a defect")

    def answer(request: run.Request) -> bytes:
        if request.images[0].data == b"bad":
            raise error
        return request.images[0].data + b" "

    def of_threads() -> tuple[BaseException | None, str | None]:
        def send(request: run.Request) -> Any:
            future: Future[bytes] = Future()
            future.set_result(answer(request))
            return future

        with Batcher(lambda: new_run(Fixed(1)), send, lambda: encode) as batcher, ThreadPoolExecutor(1) as callers:
            raised = callers.submit(batcher.ask, b"bad").exception(20)
            return raised, callers.submit(batcher.ask, b"good").result(20).label

    async def of_tasks() -> tuple[BaseException | None, str | None]:
        async def send(request: run.Request) -> bytes:
            return answer(request)

        async with AsyncBatcher(lambda: new_run(Fixed(1)), send, SERVER, as_they_are) as batcher:
            (raised,) = await asyncio.wait_for(asyncio.gather(batcher.ask(b"bad"), return_exceptions=True), 20)
            return raised, (await asyncio.wait_for(batcher.ask(b"good"), 20)).label

    assert (asyncio.run(of_tasks()) if shell == "asyncio" else of_threads()) == (error, "good")


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
