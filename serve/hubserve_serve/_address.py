"""The address that a server promises: held from the start, so that a port that is taken is known before a long load."""

from __future__ import annotations

import socket

from ._errors import AddressError


def hold(host: str, port: int) -> socket.socket:
    """Bind a TCP socket, and do not listen on it yet: whoever calls is refused, and nobody else can bind the port.

    Args:
        host: The address or name of an interface of this machine.
        port: The port; 0 for a free one.

    Raises:
        AddressError: It is taken, or it is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        held = socket.socket(family, kind, protocol)
        try:
            # Calls to a server that has just ended may linger in the system.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(address)
            # On Linux two sockets that both have it can be bound to one port until one of them listens (socket(7)).
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except OSError:
            held.close()
            raise
    except OSError as error:
        raise _refused(host, port, error) from error
    return held


def listen(held: socket.socket, backlog: int) -> None:
    """Listen on a socket from `hold`.

    Raises:
        AddressError: Another listens there already.
    """
    try:
        # The system looks anew for whoever is at the port, and finds the calls that linger.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.listen(backlog)
    except OSError as error:
        raise _refused(*address_of(held), error) from error


def address_of(bound: socket.socket) -> tuple[str, int]:
    """Give the numeric host and the port of a bound socket."""
    host, port = bound.getsockname()[:2]
    return host, port


def _refused(host: str, port: int, error: OSError) -> AddressError:
    return AddressError(f"cannot listen on {join(host, port)} ({error.strerror}): choose another port or host")


def join(host: str, port: int) -> str:
    """Write a host and a port as a gRPC target: ``join("::1", 8500)`` is ``"[::1]:8500"``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
