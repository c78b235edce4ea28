"""The TCP address in front of a server on a UNIX socket."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hubserve_serve import AddressError
from hubserve_serve._address import address_of, hold
from hubserve_serve._engines._relay import Relay

PATIENCE = 30


@pytest.fixture
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    """A listening UNIX socket; its path may have about a hundred characters."""
    path = tmp_path_factory.mktemp("r") / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(64)
        listening.settimeout(PATIENCE)
        yield listening


@pytest.fixture
def address(behind: socket.socket) -> Iterator[tuple[str, int]]:
    with hold("127.0.0.1", 0) as held:
        where = address_of(held)
        with Relay(held, Path(behind.getsockname())):
            yield where


def read_all(connection: socket.socket) -> bytes:
    connection.settimeout(PATIENCE)
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_bytes_pass_both_ways_and_each_end_is_passed_on(behind: socket.socket, address: tuple[str, int]) -> None:
    asked, answered = bytes(range(256)) * 20_000, b"answer" * 500_000
    with (
        socket.create_connection(address) as client,
        behind.accept()[0] as server,
        ThreadPoolExecutor(1) as pool,
    ):
        arrived = pool.submit(read_all, server)
        client.sendall(asked)
        client.shutdown(socket.SHUT_WR)
        assert arrived.result(PATIENCE) == asked
        # Only the client has ended: the server may still speak.
        arrived = pool.submit(read_all, client)
        server.sendall(answered)
        server.shutdown(socket.SHUT_WR)
        assert arrived.result(PATIENCE) == answered


def test_connections_do_not_wait_for_each_other(behind: socket.socket, address: tuple[str, int]) -> None:
    clients = [socket.create_connection(address) for _ in range(20)]
    servers = [behind.accept()[0] for _ in clients]
    for client in reversed(clients):
        client.sendall(str(client.getsockname()).encode())
        client.shutdown(socket.SHUT_WR)
    assert {read_all(server) for server in servers} == {str(client.getsockname()).encode() for client in clients}
    for connection in (*clients, *servers):
        connection.close()


def test_the_server_notices_that_a_client_vanished(behind: socket.socket, address: tuple[str, int]) -> None:
    client = socket.create_connection(address)
    with behind.accept()[0] as server:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        client.close()
        assert read_all(server) == b""


def test_a_server_that_ended_closes_the_connection(behind: socket.socket, address: tuple[str, int]) -> None:
    behind.close()
    with socket.create_connection(address) as client:
        assert read_all(client) == b""


def test_no_request_is_answered_before_or_after(behind: socket.socket) -> None:
    with hold("127.0.0.1", 0) as held:
        where = address_of(held)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(where)
        with Relay(held, Path(behind.getsockname())):
            socket.create_connection(where).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(where)


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6 here")
def test_ipv6_is_an_address_as_well(behind: socket.socket) -> None:
    try:
        held = hold("::1", 0)
    except AddressError:
        pytest.skip("there is no IPv6 here")
    with (
        held,
        Relay(held, Path(behind.getsockname())),
        socket.create_connection(address_of(held)) as client,
        behind.accept()[0] as server,
    ):
        client.sendall(b"six")
        client.shutdown(socket.SHUT_WR)
        assert read_all(server) == b"six"


def test_an_address_that_is_held_is_taken(behind: socket.socket) -> None:
    with hold("127.0.0.1", 0) as held:
        with pytest.raises(AddressError, match="Address already in use"):
            hold(*address_of(held))
        # The program that has it can still listen there.
        with Relay(held, Path(behind.getsockname())):
            pass


def test_an_address_that_another_listens_at_is_named(behind: socket.socket) -> None:
    with hold("127.0.0.1", 0) as held, socket.socket() as rival:
        # Two of them can be bound at once when both say so.
        for sharing in (held, rival):
            sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            rival.bind(address_of(held))
        except OSError:
            pytest.skip("the system does not let two sockets share a port")
        rival.listen()
        with (
            pytest.raises(AddressError, match=r"cannot listen on 127\.0\.0\.1:\d+ \(Address already in use\)"),
            Relay(held, Path(behind.getsockname())),
        ):
            pass


def test_calls_that_linger_do_not_keep_the_port(behind: socket.socket) -> None:
    with hold("127.0.0.1", 0) as held:
        where = address_of(held)
        with (
            Relay(held, Path(behind.getsockname())),
            socket.create_connection(where) as client,
            behind.accept()[0] as server,
        ):
            # The side that ends first keeps the port in the state TIME_WAIT.
            server.shutdown(socket.SHUT_WR)
            assert read_all(client) == b""
    with hold(*where) as held, Relay(held, Path(behind.getsockname())):
        socket.create_connection(where).close()
