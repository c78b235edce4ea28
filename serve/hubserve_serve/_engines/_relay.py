"""A TCP address in front of a UNIX socket.

tensorflow_model_server binds TCP on every interface, 0.0.0.0 (`server.cc`), and any caller that reaches it may even
make it load another model. On a UNIX socket only this user can reach it. So the server listens on a UNIX socket, and
the relay opens the address that the user asked for.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import TYPE_CHECKING

from .._address import listen

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_BUFFER_BYTES = 256 * 1024


class Relay:
    """Forward bytes between TCP connections and a UNIX socket: ``with Relay(held, Path("grpc.sock")): ...``.

    Args:
        held: A bound TCP socket; entering the context listens on it, and leaving it closes it.
        path: The UNIX socket to connect each connection to.

    Raises:
        AddressError: Another program already listens at the address; raised on entering the context.
    """

    def __init__(self, held: socket.socket, path: Path) -> None:
        self._server = _Server(held, path)
        self._thread = threading.Thread(target=self._server.serve_forever, name="relay", daemon=True)

    def __enter__(self) -> Relay:
        listen(self._server.socket, self._server.request_queue_size)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    # Connections end with the server behind the relay, not when each client closes.
    block_on_close = False
    request_queue_size = 128

    def __init__(self, held: socket.socket, path: Path) -> None:
        super().__init__(held.getsockname(), _Connection, bind_and_activate=False)
        # The base class has made a socket that may be of another family.
        self.socket.close()
        self.socket = held
        self.path = path


class _Connection(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        # gRPC's small frames must not wait for the acknowledgement of the frames before, which takes 40 ms each.
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with socket.socket(socket.AF_UNIX) as behind:
            try:
                behind.connect(str(self.server.path))
            except OSError:
                # The server behind has ended. The caller sees a closed connection, as it would without a relay.
                return
            answers = threading.Thread(target=_pass_on, args=(behind, self.request), daemon=True)
            answers.start()
            _pass_on(self.request, behind)
            answers.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    try:
        while count := source.recv_into(buffer):
            sink.sendall(buffer[:count])
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # One side is gone, and the other is useless without it.
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
