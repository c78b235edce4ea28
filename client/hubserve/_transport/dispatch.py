"""Send requests of many threads through one `Gate`: at once if there is room, else later from another thread."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc

from .._errors import CallError, Then, hide, then
from .._schedule.gate import Gate, Turn

# Sends the request and returns gRPC's future; the argument is how often the line has sent it before.
Begin = Callable[[int], Any]
# Makes the error for gRPC's code and message.
Failed = Callable[[grpc.StatusCode, "str | None"], CallError]
# Finds out more about a failure, then ends the call with it, on any thread.
Explain = Callable[[CallError, Callable[[CallError], object]], object]

_CLOSED = "Channel closed!"


class LinedCall:
    """A call that waits in line, is in flight, or has ended; made by `Line.start`."""

    def __init__(self, line: Line, begin: Begin, failed: Failed, explain: Explain | None = None) -> None:
        self._line = line
        self._failed = failed
        self._explain = explain
        self._begin: Begin | None = begin
        # The span must belong to the caller's span, although another thread may send the request.
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._callbacks: list[Callable[[Any], object]] = []
        self._answer = b""
        self._error: CallError | None = None
        self._future: Any = None
        self._cancelled = False
        self._tries = 0
        self.turn: Turn

    def result(self) -> bytes:
        """Wait for the answer.

        Raises:
            CallError: The call failed.
        """
        try:
            self._ended.wait()
        except BaseException:
            # Ctrl-C while waiting: the answer is no longer needed.
            self.cancel()
            raise
        if self._error is not None:
            raise self._error
        return self._answer

    def cancel(self) -> None:
        """Cancel the call."""
        self._cancelled = True
        if self._line.leave(self):
            self.fail(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
        elif self._future is not None:
            self._future.cancel()

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Call the function when the call has ended, on any thread."""
        with self._lock:
            if not self._ended.is_set():
                self._callbacks.append(callback)
                return
        callback(self)

    def send(self) -> None:
        """Send the request, when its turn has come."""
        tries, self._tries = self._tries, self._tries + 1
        begin = self._begin
        if begin is None:
            # The call has failed meanwhile, because the client was closed.
            self._line.ended(self)
            return
        try:
            future = self._context.run(begin, tries)
        except CallError as error:
            self._line.ended(self)
            self._end(b"", error)
            return
        self._future = future
        if self._cancelled:
            future.cancel()
        future.add_done_callback(self._landed)

    def fail(self, code: grpc.StatusCode, details: str) -> None:
        """End the call with the error for gRPC's code and message."""
        self._end(b"", self._failed(code, details))

    def _landed(self, future: Any) -> None:
        code = future.code()
        if code is grpc.StatusCode.OK:
            self._line.answered(self)
            self._end(future.result(), None)
            return
        error = self._failed(code, future.details())
        hide(error, future if isinstance(future, grpc.RpcError) else None)
        if then(error) is not Then.WAIT or self._cancelled:
            self._line.ended(self)
            if self._explain is None or self._cancelled:
                self._end(b"", error)
            else:
                self._explain(error, partial(self._end, b""))
        elif not self._line.refused(self, error):
            self._end(b"", error)

    def _end(self, answer: bytes, error: CallError | None) -> None:
        with self._lock:
            if self._ended.is_set():
                return
            self._answer, self._error = answer, error
            # Release the request's memory now for the next request, and not at garbage collection.
            self._begin = self._future = None
            callbacks, self._callbacks = self._callbacks, []
            self._ended.set()
        for callback in callbacks:
            callback(self)


class Line:
    """Start calls when a gate allows them: `call = line.start(begin, failed); call.result()`.

    A thread sends requests that had to wait. It runs only while some wait.

    Args:
        gate: Shared by all calls of a client.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._changed = threading.Condition()
        self._sender: threading.Thread | None = None
        self._closed = False

    def start(
        self,
        begin: Begin,
        failed: Failed,
        *,
        explain: Explain | None = None,
        deadline: float | None = None,
        urgent: bool = False,
    ) -> LinedCall:
        """Send a request, or put it into the line, without waiting for its answer.

        Args:
            begin: Sends the request.
            failed: Makes the error for gRPC's code and message.
            explain: Finds out more about a failure other than lack of room.
            deadline: When the request leaves the line, on the clock of `time.monotonic`; None: never.
            urgent: Put it before requests that are not urgent.
        """
        call = LinedCall(self, begin, failed, explain)
        with self._changed:
            if self._closed:
                call.fail(grpc.StatusCode.CANCELLED, _CLOSED)
                return call
            now = time.monotonic()
            call.turn = self._gate.join(owner=call, deadline=deadline, urgent=urgent)
            due = self._due(now)
            self._see_to_the_rest()
        for each in due:
            each.send()
        return call

    def answered(self, call: LinedCall) -> None:
        """Record an answer."""
        with self._changed:
            self._gate.answered(call.turn, time.monotonic())
            self._see_to_the_rest()

    def ended(self, call: LinedCall) -> None:
        """Record a failure other than lack of room."""
        with self._changed:
            self._gate.leave(call.turn, time.monotonic())
            self._see_to_the_rest()

    def refused(self, call: LinedCall, error: CallError) -> bool:
        """Record a refusal for lack of room; return False if it must be reported."""
        given_up: list[Turn] = []
        with self._changed:
            now = time.monotonic()
            again = not self._closed and self._gate.refused(call.turn, now, error)
            if not again:
                self._gate.leave(call.turn, now)
                given_up = self._gate.hopeless(now)
            self._see_to_the_rest()
        for turn in given_up:
            turn.owner.fail(error.code, error.details)
        if self._closed:
            call.fail(grpc.StatusCode.CANCELLED, _CLOSED)
        return again

    def leave(self, call: LinedCall) -> bool:
        """Remove a call from the line; return False if it is not in line."""
        with self._changed:
            waits = call.turn.waits
            if waits:
                self._gate.leave(call.turn, time.monotonic())
            return waits

    def close(self) -> None:
        """Fail the requests in line, and take no more."""
        with self._changed:
            self._closed = True
            waiting = self._gate.empty(time.monotonic())
            self._changed.notify_all()
        for turn in waiting:
            turn.owner.fail(grpc.StatusCode.CANCELLED, _CLOSED)

    def _due(self, now: float) -> list[LinedCall]:
        calls: list[LinedCall] = []
        while (turn := self._gate.next(now)) is not None:
            calls.append(turn.owner)
        return calls

    def _see_to_the_rest(self) -> None:
        if not self._gate.waiting:
            return
        if self._sender is None:
            self._sender = threading.Thread(target=self._send_when_due, name="hubserve-line", daemon=True)
            self._sender.start()
        else:
            self._changed.notify()

    def _send_when_due(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                due = self._due(now)
                late = self._gate.expired(now)
                if not (due or late):
                    if (at := self._gate.wake_at()) is None:
                        self._sender = None
                        return
                    self._changed.wait(max(at - now, 0.0))
                    continue
            for call in due:
                call.send()
            for turn in late:
                refusal = turn.refusal or self._gate.last_refusal
                assert refusal is not None  # noqa: S101 - nothing waits before a refusal
                turn.owner.fail(refusal.code, refusal.details)
