"""Send requests of many tasks through one `Gate`: each waits for its turn, and waits again if it is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc

from .._errors import CallError, Then, then
from .._schedule.gate import Gate, Turn

# Makes the error for gRPC's code and message.
Failed = Callable[[grpc.StatusCode, "str | None"], CallError]


class AsyncLine:
    """Make calls when a gate allows them: `answer = await line.call(attempt)`.

    Args:
        gate: Shared by all calls of a client.
        failed: Makes the error for gRPC's code and message.
    """

    def __init__(self, gate: Gate, failed: Failed) -> None:
        self._gate = gate
        self._failed = failed
        self._timer: asyncio.TimerHandle | None = None

    async def call(
        self, attempt: Callable[[int], Awaitable[bytes]], *, deadline: float | None = None, urgent: bool = False
    ) -> bytes:
        """Make an attempt when there is room, and another one after each refusal for lack of room.

        Args:
            attempt: Sends the request; the argument is the number of earlier attempts.
            deadline: When the request leaves the line, on the clock of `time.monotonic`; None: never.
            urgent: Put it before requests that are not urgent.

        Raises:
            CallError: The server did not answer.
        """
        gate = self._gate
        turn = gate.join(deadline=deadline, urgent=urgent)
        tries = 0
        try:
            while True:
                await self._in_flight(turn)
                try:
                    answer = await attempt(tries)
                except CallError as error:
                    if then(error) is not Then.WAIT or not gate.refused(turn, time.monotonic(), error):
                        self._give_up(gate.hopeless(time.monotonic()), error)
                        raise
                    tries += 1
                else:
                    gate.answered(turn, time.monotonic())
                    return answer
        finally:
            # Also after a failure, and after a cancellation by the caller.
            gate.leave(turn, time.monotonic())
            self._let_go()

    def close(self) -> None:
        """Fail the requests in line."""
        for turn in self._gate.empty(time.monotonic()):
            _fail(turn, self._failed(grpc.StatusCode.CANCELLED, "Channel closed!"))

    async def _in_flight(self, turn: Turn) -> None:
        turn.owner = None
        self._let_go()
        if turn.in_flight:
            return
        turn.owner = asyncio.get_running_loop().create_future()
        await turn.owner

    def _let_go(self) -> None:
        """Wake the requests whose turn has come or whose deadline has passed, and set a timer for the others."""
        now = time.monotonic()
        while (turn := self._gate.next(now)) is not None:
            if turn.owner is not None and not turn.owner.done():
                turn.owner.set_result(None)
        for turn in self._gate.expired(now):
            refusal = turn.refusal or self._gate.last_refusal
            assert refusal is not None  # noqa: S101 - nothing waits before a refusal
            _fail(turn, self._failed(refusal.code, refusal.details))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (at := self._gate.wake_at()) is not None:
            self._timer = asyncio.get_running_loop().call_later(max(at - now, 0.0), self._let_go)

    def _give_up(self, turns: list[Turn], error: CallError) -> None:
        for turn in turns:
            _fail(turn, self._failed(error.code, error.details))


def _fail(turn: Turn, error: CallError) -> None:
    if turn.owner is not None and not turn.owner.done():
        turn.owner.set_exception(error)
