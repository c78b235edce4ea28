"""Both requests of a hedged pair are answered while the caller is busy."""

import asyncio
from concurrent.futures import Future
from typing import Any

from client.simulation import images, read
from hubserve import Classification, Retry
from hubserve._schedule.batching import Capacity, Limits
from hubserve._schedule.retry import Contact
from hubserve._schedule.run import Request, Run
from hubserve._schedule.window import Fixed
from hubserve._transport.async_stream import AsyncMover
from hubserve._transport.stream import Mover


def run_of_one_image() -> Run[Classification]:
    run: Run[Classification] = Run(
        read=read,
        kind=Classification,
        capacity=Capacity(Limits(1, 2**20)),
        contact=Contact(Retry(hedge_after=0.001)),
        window=Fixed(1),
        ordered=True,
    )
    run.push(images(1)[0], 0.0)
    run.end()
    return run


def test_the_first_answer_counts_and_the_second_does_no_harm_to_threads():
    run = run_of_one_image()
    calls: list[Future[bytes]] = []

    def send(_: Request) -> Any:
        calls.append(Future())
        return calls[-1]

    mover = Mover(run, send)
    mover.move()
    while len(calls) < 2:
        mover.wait()
        mover.move()
    for call in calls:
        call.set_result(b"0 ")
    mover.move()

    assert [result.label for result in run.take_results()] == ["0"]
    assert mover.idle


def test_the_first_answer_counts_and_the_second_does_no_harm_to_tasks():
    async def course() -> None:
        run = run_of_one_image()
        answer = asyncio.Event()

        async def send(_: Request) -> bytes:
            await answer.wait()
            return b"0 "

        mover = AsyncMover(run, send, asyncio.sleep)
        mover.move()
        while len(calls := asyncio.all_tasks() - {asyncio.current_task()}) < 2:
            await mover.wait()
            mover.move()
        answer.set()
        await asyncio.wait(calls)
        mover.move()

        assert [result.label for result in run.take_results()] == ["0"]
        await mover.stop()

    asyncio.run(course())
