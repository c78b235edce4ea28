"""Hostile calls at the embedded engine, and good ones after them: `python -m trust.engine_child SEED MODEL_DIR`."""

import contextlib
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack

import grpc

from conformance.raw_http2 import connect
from hubserve_serve import EmbeddedServer
from serve.calls import Caller
from trust.child import Tried, work_off
from trust.requests import HostileCall, hostile_call

BOUND = 512 * 2**20
_PATIENCE = 120.0
# What the engine says where an exception was none of its own: a defect.
_DEFECT = "The embedded engine failed"


def main() -> None:
    """Until standard input ends."""
    seed, model_dir = int(sys.argv[1]), sys.argv[2]

    def prepare():
        server = EmbeddedServer(model_dir, name="toy")
        server.start()
        attempt = Attempt(server, seed)
        attempt(range(-30, 0))
        return attempt

    work_off(prepare, BOUND)


class Attempt:
    """Makes the calls, and then a good one, over a connection of its own."""

    def __init__(self, server: EmbeddedServer, seed: int) -> None:
        # It serves as long as something refers to it.
        self._server = server
        self._target = server.target
        self._seed = seed
        self._channel = grpc.insecure_channel(self._target)
        self._right = self._good()

    def __call__(self, numbers: Sequence[int]) -> Tried:
        outcomes = []
        with ExitStack() as held:
            for number in numbers:
                call = hostile_call(self._seed, number)
                outcome, wrong = self._raw(call, held) if call.method is None else self._call(call)
                outcomes.append((call.strategy, outcome))
                if wrong:
                    return Tried(outcomes, f"input {number}: {wrong}")
            answer = self._good()
        return Tried(outcomes, None if answer == self._right else f"a good caller was answered {answer}")

    def _good(self) -> object:
        caller = Caller(self._target)
        with caller.channel:
            return {name: value.tolist() for name, value in caller.predict(image_bytes=[b"odd", b"even"]).items()}

    def _call(self, call: HostileCall) -> tuple[str, str | None]:
        try:
            self._channel.unary_unary(call.method)(call.data, timeout=_PATIENCE)
        except grpc.RpcError as error:
            code, words = error.code(), error.details() or ""
            bad = words.startswith(_DEFECT) or code in (
                grpc.StatusCode.DEADLINE_EXCEEDED,
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.UNKNOWN,
            )
            return code.name.lower(), f"{code.name}: {words}" if bad else None
        return "answered", None

    def _raw(self, call: HostileCall, held: ExitStack) -> tuple[str, str | None]:
        connection = connect(self._target)
        if call.held:
            held.enter_context(connection)
        with contextlib.suppress(OSError):
            connection.sendall(call.data)
        if not call.held:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            connection.close()
        return "sent", None


if __name__ == "__main__":
    main()
