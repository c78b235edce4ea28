"""Run a model server as a separate process: start it, watch it, and always end it."""

from __future__ import annotations

import collections
import contextlib
import ctypes
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import grpc

from .._errors import ServerEndedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from ._engine import Stop

_OPTIONS = (
    # A server that starts is noticed at once; gRPC's default delay grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # No proxy is needed between this process and its own server.
    ("grpc.enable_http_proxy", 0),
)
# grpc.health.v1 in bytes: the request for the whole server is empty, and this is the answer SERVING.
_SERVING = b"\x08\x01"
_CALL_SECONDS = 2.0
_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.1
_STOP_SECONDS = 10.0
_LINES_KEPT = 50

# TensorFlow Serving has no handler for SIGTERM.
CUT_OFF = "TensorFlow Serving ends at once, and calls in flight with it"
# `main.cc` prints this last when the start fails.
_GAVE_UP = "Failed to start server. Error: "
# Messages after which the server continues, but never serves as intended: `main.cc` without an intended flag, and
# `file_system_storage_path_source.cc` without a model and without a port.
_HOPELESS = ("unknown argument: ", "No versions of servable ")


class ModelServerProcess:
    """A program that is a model server: ``with ModelServerProcess(command, "docker", print) as process``.

    Leaving the context ends the program. On Linux the program also ends when this process dies.

    Args:
        command: The command line.
        program: The program's name in messages.
        report: Called with every line of the program's log, on another thread.

    Raises:
        ServerEndedError: The program cannot be started.
    """

    def __init__(self, command: Sequence[str], program: str, report: Callable[[str], None]) -> None:
        self._program = program
        self._report = report
        self._lines: collections.deque[str] = collections.deque(maxlen=_LINES_KEPT)
        self._hopeless = ""
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the program is the one that the user means
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # Ctrl-C goes to a whole group of processes; this process ends the server in order.
                start_new_session=True,
                preexec_fn=_end_with_parent(),
            )
        except OSError as error:
            raise ServerEndedError(f"{program} cannot be started ({error}): install it again") from error
        self._log = threading.Thread(target=self._read_log, name="log", daemon=True)
        self._log.start()

    def __enter__(self) -> ModelServerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # A child process of the program may still hold the pipe.
        self._log.join(1.0)

    def wait_until_serving(self, target: str) -> None:
        """Wait until the server answers at the target, however long loading takes.

        Raises:
            ServerEndedError: The server ended, or reported that it will never serve.
        """
        with _health_of(target) as serving:
            while True:
                ready = serving()
                if self._hopeless:
                    raise ServerEndedError(f"{self._program} cannot serve this: {self._hopeless}")
                if ready:
                    return
                self._raise_if_ended(_POLL_SECONDS)

    def wait(self, stop: Stop) -> None:
        """Wait for the request to stop.

        Raises:
            ServerEndedError: The server ended before.
        """
        while stop.signal is None:
            self._raise_if_ended(_POLL_SECONDS)

    def _raise_if_ended(self, patience: float) -> None:
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return
        self._log.join(_POLL_SECONDS)
        how = f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        raise ServerEndedError(f"{self._program} ended unexpectedly {how}: {self._last_words()}")

    def _last_words(self) -> str:
        lines = list(self._lines)
        for line in lines:
            if _GAVE_UP in line:
                return line.partition(_GAVE_UP)[2]
        return " / ".join(lines[-3:]) or "it printed nothing"

    def _read_log(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        with self._process.stdout as log:
            for line in log:
                text = line.rstrip()
                if text:
                    self._lines.append(text)
                if any(words in text for words in _HOPELESS):
                    self._hopeless = text
                self._report(text)


def _end_with_parent() -> Callable[[], None] | None:
    """Return a function for the child process that makes the system end it when this process dies."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask


@contextlib.contextmanager
def _health_of(target: str) -> Iterator[Callable[[], bool]]:
    """Provide a function that tells whether the server at the target reports SERVING.

    TensorFlow Serving opens its port when the models are loaded and warmed up, and reports SERVING from then on.
    """
    with grpc.insecure_channel(target, _OPTIONS) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")

        def serving() -> bool:
            try:
                return bool(check(b"", timeout=_CALL_SECONDS) == _SERVING)
            except grpc.RpcError:
                return False

        yield serving
