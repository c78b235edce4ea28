"""A TCP address in front of a UNIX socket.

tensorflow_model_server binds TCP on every interface, 0.0.0.0 (`server.cc`), and what it serves is open to whoever gets
through: any caller may even make it load another model. On a UNIX socket it is reached by nobody else, so there it
listens, and the address that the user asked for is opened here.
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
    """Passes bytes on between TCP connections and a UNIX socket: ``with Relay(held, Path("grpc.sock")): ...``.

    Args:
        held: A bound TCP socket; entering the context listens on it, and leaving it closes it.
        path: The UNIX socket that each connection is joined with.

    Raises:
        AddressError: Another listens at the address already; on entering the context.
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
    # Connections end with the server behind, not when each client has had enough.
    block_on_close = False
    request_queue_size = 128

    def __init__(self, held: socket.socket, path: Path) -> None:
        super().__init__(held.getsockname(), _Connection, bind_and_activate=False)
        # What the base class made is not of the held socket's family.
        self.socket.close()
        self.socket = held
        self.path = path


class _Connection(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        # gRPC's small frames must not wait for the acknowledgement of the ones before: that is 40 ms each.
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with socket.socket(socket.AF_UNIX) as behind:
            try:
                behind.connect(str(self.server.path))
            except OSError:
                # The server behind has ended; the caller sees a closed connection, as it would without a relay.
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
        # One side is gone. Neither can go on without the other.
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
