"""A relay before the server, so that a test can break connections as a failing network does."""

from __future__ import annotations

import contextlib
import socket
import threading

_CHUNK = 2**18


class Relay:
    """Listen on a loopback port and forward bytes: `relay.open(port_behind)`, `relay.drop()`, `relay.close()`.

    Args:
        port: The port, the same after each `open`; 0: a free one, chosen by the first `open`.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._listener: socket.socket | None = None
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()

    def open(self, behind: int) -> None:
        """Accept connections, and connect each to the port behind."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener, behind), daemon=True).start()

    def drop(self) -> None:
        """Break all connections."""
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            # Wakes the threads that read from it, which close it.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Accept no more connections, and break the existing ones."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.drop()

    def _accept(self, listener: socket.socket, behind: int) -> None:
        while True:
            try:
                front, _ = listener.accept()
                back = socket.create_connection(("127.0.0.1", behind))
            except OSError:
                return
            for end in (front, back):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._ends |= {front, back}
            open_ends = [front, back]
            for one, other in ((front, back), (back, front)):
                threading.Thread(target=self._pass_on, args=(one, other, open_ends), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, open_ends: list[socket.socket]) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(_CHUNK):
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
        # The second of the two threads closes both sockets.
        with self._lock:
            open_ends.pop()
            last = not open_ends
            if last:
                self._ends -= {one, other}
        if last:
            one.close()
            other.close()
