"""Features of the asyncio client only: async input, cancelling, one loop for many tasks."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from hubserve import AsyncClient, ClientClosed, ModelNotReady, UnsuitableModel, UsageError
from hubserve.testing import FakeServer, Request


def test_images_may_come_from_an_async_iterable_and_results_do_not_wait_for_the_next():
    async def run() -> None:
        with FakeServer() as server:
            async with AsyncClient(server.target, model="m", max_batch_size=1) as client:
                feed: asyncio.Queue[bytes | None] = asyncio.Queue()

                async def images() -> AsyncIterator[bytes]:
                    while (image := await feed.get()) is not None:
                        yield image

                results = client.classify(images())
                # Each image is given only when the result before it is there.
                for name in (b"a", b"b", b"c"):
                    feed.put_nowait(name)
                    assert (await anext(results)).label == name.decode()
                feed.put_nowait(None)
                assert [result async for result in results] == []

    asyncio.run(run())


def test_paths_arrays_and_bytes_keep_their_order(photograph: Path):
    async def run() -> None:
        seen: list[bytes] = []
        with FakeServer(lambda image: {str(len(image)): 1.0}) as server:
            async with AsyncClient(server.target, model="m", max_batch_size=2) as client:
                images = [photograph, b"cat", np.zeros((4, 4, 3), np.uint8), "nowhere.jpg"] * 5
                results = [result async for result in client.classify(images)]
                seen = [image for request in server.requests for image in request.images]
        assert [result.index for result in results] == list(range(20))
        assert [result.ok for result in results] == [True, True, True, False] * 5
        assert results[0].label == str(photograph.stat().st_size)
        assert sum(image.startswith(b"\x89PNG") for image in seen) == 10

    asyncio.run(run())


def test_what_the_images_raise_comes_after_the_results_of_those_before():
    async def run() -> None:
        async def images() -> AsyncIterator[bytes]:
            yield b"cat"
            raise ZeroDivisionError("the caller's own")

        with FakeServer() as server:
            async with AsyncClient(server.target, model="m") as client:
                results = client.classify(images())
                assert (await anext(results)).label == "cat"
                with pytest.raises(ZeroDivisionError, match="the caller's own"):
                    await anext(results)

    asyncio.run(run())


def test_leaving_the_loop_early_cancels_requests_in_flight():
    released = threading.Event()

    def hold(request: Request) -> None:
        if b"slow" in request.images:
            released.wait(20)

    async def run() -> None:
        with FakeServer(before=hold) as server:
            async with AsyncClient(server.target, model="m", max_batch_size=1, concurrency=2) as client:
                async with contextlib.aclosing(client.classify([b"quick", b"slow"], ordered=False)) as results:
                    assert (await anext(results)).label == "quick"
                assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
                released.set()

    asyncio.run(run())


def test_a_cancelled_task_does_not_disturb_the_others():
    released = threading.Event()

    def hold(request: Request) -> None:
        released.wait(20)

    async def run() -> None:
        with FakeServer(before=hold) as server:
            async with AsyncClient(server.target, model="m") as client:

                async def ask(name: bytes) -> str | None:
                    (label,) = [result.label async for result in client.classify([name])]
                    return label

                tasks = [asyncio.create_task(ask(b"%d" % number)) for number in range(5)]
                while len(server.requests) < 5:
                    await asyncio.sleep(0.01)
                tasks[2].cancel()
                released.set()
                answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [answer for answer in answers if isinstance(answer, str)] == ["0", "1", "3", "4"]
        assert isinstance(answers[2], asyncio.CancelledError)

    asyncio.run(run())


def test_closing_the_client_ends_what_waits():
    released = threading.Event()

    def hold(request: Request) -> None:
        released.wait(20)

    async def run() -> None:
        with FakeServer(before=hold) as server:
            client = AsyncClient(server.target, model="m")
            results = client.classify([b"cat"])
            waiting = asyncio.ensure_future(anext(results))
            while not server.requests:
                await asyncio.sleep(0.01)
            await client.close()
            await client.close()
            released.set()
            with pytest.raises(ClientClosed, match="keep it open"):
                await waiting
            with pytest.raises(ClientClosed, match="keep it open"):
                await client.predict({"x": [1]})

    asyncio.run(run())


def test_the_other_verbs_answer_as_the_threads_clients_do():
    async def run() -> None:
        with FakeServer(features=lambda image: [float(len(image)), 0.5], version=4) as server:
            async with AsyncClient(server.target, model="m") as client:
                (vector,) = [result.vector async for result in client.features([b"cat"])]
                assert vector.tolist() == [3.0, 0.5]
                with pytest.raises(UnsuitableModel):
                    await anext(client.classify([b"cat"]))
                assert [str(version) for version in await client.status()] == ["version 4 is AVAILABLE"]
                assert (await client.wait_until_ready(5))[0].available
                assert list((await client.metadata()).signatures) == ["serving_default"]
                assert (await client.predict({"image_bytes": []}))["feature_vector"].shape == (0, 0)
                server.ready = False
                with pytest.raises(ModelNotReady):
                    await client.wait_until_ready(0.1)

    asyncio.run(run())


def test_a_single_image_is_refused_at_once():
    with pytest.raises(UsageError, match=r"write \[image\]"):
        AsyncClient("localhost:8500", model="m").classify(b"cat")
