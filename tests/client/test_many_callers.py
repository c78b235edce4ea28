"""Many callers of one client on real sockets, against a server that refuses requests under load."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hubserve import AsyncClient, Client, DeadlineExceeded, ServerBusy
from hubserve.testing import FakeServer, Fault, Request

CALLERS = 200
REFUSALS = [
    Fault("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted"),
    Fault("UNAVAILABLE", "The batch scheduling queue to which this task was submitted is full"),
    Fault("RESOURCE_EXHAUSTED", "Run() timeout exceeded while waiting in batching queue"),
    Fault("DEADLINE_EXCEEDED", "Run() timeout exceeded while waiting in batching queue"),
]


class Crowded:
    """Take a number of requests at a time, and refuse the others: `FakeServer(before=Crowded(8))`."""

    def __init__(self, room: int, refusal: Fault = REFUSALS[0], seconds: float = 0.005) -> None:
        self._room = threading.Semaphore(room)
        self._refusal = refusal
        self._seconds = seconds
        self.refused = 0

    def __call__(self, _: Request) -> None:
        if not self._room.acquire(blocking=False):
            self.refused += 1
            raise self._refusal
        try:
            time.sleep(self._seconds)
        finally:
            self._room.release()


def labels(count: int) -> list[str]:
    return [str(number) for number in range(count)]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda fault: f"{fault.code.name}-{fault.details[:5]}")
def test_no_caller_of_a_crowded_server_gets_an_error(refusal: Fault):
    crowded = Crowded(8, refusal)
    with FakeServer(before=crowded, threads=64) as server, Client(server.target, model="m") as client:

        def ask(number: int) -> str | None:
            (result,) = client.classify([b"%d" % number])
            return result.label or result.error

        with ThreadPoolExecutor(CALLERS) as pool:
            assert list(pool.map(ask, range(3 * CALLERS))) == labels(3 * CALLERS)

    assert crowded.refused > 0


def test_no_task_of_a_crowded_server_gets_an_error():
    crowded = Crowded(8)

    async def run(target: str) -> list[str | None]:
        async with AsyncClient(target, model="m") as client:

            async def ask(number: int) -> str | None:
                (result,) = [result async for result in client.classify([b"%d" % number])]
                return result.label or result.error

            return await asyncio.gather(*(ask(number) for number in range(3 * CALLERS)))

    with FakeServer(before=crowded, threads=64) as server:
        assert asyncio.run(run(server.target)) == labels(3 * CALLERS)

    assert crowded.refused > 0


def test_batchers_and_bulk_runs_share_what_the_server_takes_with_single_callers():
    crowded = Crowded(4)
    with (
        FakeServer(before=crowded, threads=64) as server,
        Client(server.target, model="m", max_batch_size=4) as client,
        client.classify_batcher(max_size=2) as batcher,
        ThreadPoolExecutor(100) as pool,
    ):
        asked = [pool.submit(batcher.ask, b"%d" % number) for number in range(200)]
        bulk = pool.submit(lambda: list(client.classify(b"%d" % number for number in range(400))))
        alone = [pool.submit(lambda n=number: list(client.classify([b"%d" % n]))) for number in range(200)]

        assert [one.result().label for one in asked] == labels(200)
        assert [result.label for result in bulk.result()] == labels(400)
        assert [one.result()[0].label for one in alone] == labels(200)


def test_predict_waits_for_room_until_its_own_deadline_and_then_says_that_there_is_none():
    crowded = Crowded(1, seconds=0.05)
    with (
        FakeServer(predict=lambda _, inputs: {"y": inputs["x"]}, before=crowded, threads=32) as server,
        Client(server.target, model="m") as client,
        ThreadPoolExecutor(60) as pool,
    ):

        def ask(_: int) -> tuple[float, Exception | None]:
            began = time.monotonic()
            try:
                client.predict({"x": np.zeros(1, np.float32)}, timeout=1.0)
            except (ServerBusy, DeadlineExceeded) as error:
                return time.monotonic() - began, error
            return time.monotonic() - began, None

        found = list(pool.map(ask, range(60)))

    failed = [(seconds, error) for seconds, error in found if error is not None]
    # 60 requests of 50 ms, one at a time, in one second.
    assert 30 <= len(failed) <= 55
    assert min(seconds for seconds, _ in failed) >= 0.99
    assert any("no room" in str(error) and "Server Threadpool Exhausted" in str(error) for _, error in failed)


def test_what_waits_in_line_ends_when_the_client_is_closed():
    release = threading.Event()

    def full(request: Request) -> None:
        if len(server.requests) > 1:
            raise REFUSALS[0]
        release.wait(20)

    with FakeServer(threads=32) as server, ThreadPoolExecutor(20) as pool:
        server.before = full
        client = Client(server.target, model="m")
        asked = [pool.submit(client.predict, {"x": [1.0]}) for _ in range(20)]
        while len(server.requests) < 3:
            time.sleep(0.005)
        client.close()
        release.set()

        assert {type(one.exception()).__name__ for one in asked} == {"ClientClosed"}


def test_the_status_of_a_crowded_server_is_known_before_all_waiting_images_are_answered():
    crowded = Crowded(2, seconds=0.02)
    with (
        FakeServer(before=crowded, threads=64) as server,
        Client(server.target, model="m") as client,
        ThreadPoolExecutor(100) as pool,
    ):
        asked = [pool.submit(lambda n=number: list(client.classify([b"%d" % n]))) for number in range(100)]
        while not crowded.refused:
            time.sleep(0.001)
        assert client.status()[0].available
        assert not all(one.done() for one in asked)
        assert all(one.result()[0].ok for one in asked)


def test_a_request_given_up_in_line_is_never_sent():
    async def run() -> None:
        async with AsyncClient(server.target, model="m") as client:
            first = asyncio.ensure_future(client.predict({"x": [1.0]}))
            while not server.requests:
                await asyncio.sleep(0.001)
            others = [asyncio.ensure_future(client.predict({"x": [1.0]})) for _ in range(5)]
            while len(server.requests) < 3:
                await asyncio.sleep(0.001)
            sent = len(server.requests)
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            release.set()
            await first
            assert len(server.requests) <= sent + 3

    release = threading.Event()
    with FakeServer(predict=lambda _, inputs: {"y": inputs["x"]}, threads=32) as server:

        def full(_: Request) -> None:
            if len(server.requests) > 1 and not release.is_set():
                raise REFUSALS[0]
            release.wait(20)

        server.before = full
        asyncio.run(run())
