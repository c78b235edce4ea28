"""Hold a server's address from the start, so that a port in use is reported before the model is loaded."""

from __future__ import annotations

import socket

from ._errors import AddressError


def hold(host: str, port: int, *, for_grpc: bool = False) -> socket.socket:
    """Bind a TCP socket without listening on it: connections are refused, and no other program can bind the port.

    Args:
        host: The address or name of an interface of this machine.
        port: The port; 0 for a free one.
        for_grpc: Whether a gRPC server of this user may bind the port beside it, as gRPC does by default
            (SO_REUSEPORT). It must be free of other servers at first.

    Raises:
        AddressError: The port is in use, or the host is not an address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        held = socket.socket(family, kind, protocol)
        try:
            # Connections of a server that has just ended may remain in the system for a while.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(address)
            # On Linux two sockets with this option can be bound to one port until one of them listens (socket(7)).
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except OSError:
            held.close()
            raise
        if for_grpc:
            address = held.getsockname()
            held.close()
            held = socket.socket(family, kind, protocol)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(address)
    except OSError as error:
        raise _refused(host, port, error) from error
    return held


def listen(held: socket.socket, backlog: int) -> None:
    """Listen on a socket from `hold`.

    Raises:
        AddressError: Another program already listens there.
    """
    try:
        # The system checks the port again, and would find old connections that remain.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.listen(backlog)
    except OSError as error:
        raise _refused(*address_of(held), error) from error


def address_of(bound: socket.socket) -> tuple[str, int]:
    """Return the numeric host and the port of a bound socket."""
    host, port = bound.getsockname()[:2]
    return host, port


def _refused(host: str, port: int, error: OSError) -> AddressError:
    return AddressError(f"cannot listen on {join(host, port)} ({error.strerror}): choose another port or host")


def join(host: str, port: int) -> str:
    """Format a host and a port as a gRPC target: ``join("::1", 8500)`` is ``"[::1]:8500"``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
