"""Addresses: the accepted forms, the default port, and errors about the connection."""

import http.server
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from client.shells import SHELLS, classify
from hubserve import AsyncClient, Client, NotAModelServer, ServerUnavailable, UsageError
from hubserve._transport.channel import grpc_targets
from hubserve.testing import FakeServer


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("localhost", "localhost:8500"),
        ("localhost:9000", "localhost:9000"),
        ("10.0.0.7", "10.0.0.7:8500"),
        ("[::1]", "[::1]:8500"),
        ("[::1]:9000", "[::1]:9000"),
        ("dns:///models", "dns:///models:8500"),
        ("dns:models", "dns:models:8500"),
        ("dns:///models:9000", "dns:///models:9000"),
        ("dns://10.0.0.1/models", "dns://10.0.0.1/models:8500"),
        ("unix:///run/model.sock", "unix:///run/model.sock"),
        ("unix:model.sock", "unix:model.sock"),
        ("ipv4:10.0.0.1:9000,10.0.0.2:9000", "ipv4:10.0.0.1:9000,10.0.0.2:9000"),
        ("xds:///models", "xds:///models"),
    ],
)
def test_a_server_without_a_port_is_on_8500(given: str, taken: str):
    assert grpc_targets(given)[0] == [taken]
    assert grpc_targets([given])[0] == [taken]


@pytest.mark.parametrize("target", ["::1", "::1:8500", "2001:db8::7"])
def test_an_ipv6_address_without_brackets_could_end_in_a_port_and_is_refused(target: str):
    with pytest.raises(UsageError, match="IPv6 address in brackets"):
        Client(target, model="m")


NO_ADDRESSES = [
    "localhost:99999",
    "localhost:65536",
    "localhost:0",
    "localhost:-1",
    "localhost:",
    "localhost:nan",
    "localhost:8500/",
    "localhost:8500/v1/models/m",
    "localhost/v1",
    "user:password@localhost:8500",
    "user@localhost",
    " localhost:8500",
    "localhost:8500\n",
    "local\nhost",
    "local\0host:8500",
    "[::1",
    "[::1]:x",
    "localhost:٨٥٠٠",
    "dns:///localhost:99999",
    "dns:///localhost:",
]


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("target", NO_ADDRESSES)
def test_what_is_not_an_address_is_refused_before_anything_is_asked(client: Any, target: str):
    """gRPC takes 99999 for port 34463, where another server may be."""
    for given in (target, [target], ["localhost:8500", target]):
        with pytest.raises(UsageError, match="target"):
            client(given, model="m")


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize("target", [5, None, b"localhost:8500", [5], [None], [b"localhost"], "\ud800:8500", [], ""])
def test_a_target_is_text(client: Any, target: Any):
    with pytest.raises(UsageError, match="target"):
        client(target, model="m")


def test_each_of_several_servers_may_leave_its_port_out():
    assert grpc_targets(["one", "two:9000"])[0] == ["one:8500", "two:9000"]


def test_an_error_names_the_port_that_was_asked():
    with Client("127.0.0.254", model="m", retry=None, timeout=5) as client:
        (result,) = client.classify([b"cat"])
    assert "no answer from 127.0.0.254:8500:" in result.error


@pytest.mark.parametrize("scheme", ["grpc", "grpcs", "http", "https", "tcp"])
def test_a_scheme_that_grpc_does_not_know_is_refused(scheme: str):
    with pytest.raises(UsageError, match=f"leave {scheme}:// out; tls= encrypts"):
        Client(f"{scheme}://localhost:8500", model="m")


class Rest(http.server.BaseHTTPRequestHandler):
    """Answers like TF Serving's REST port."""

    def handle(self) -> None:
        self.rfile.readline()
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("handler", [Rest, http.server.SimpleHTTPRequestHandler])
def test_a_port_that_speaks_http_is_distinguished_from_one_without_a_server(
    shell: str, handler: type, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        (result,) = classify(shell, f"127.0.0.1:{web.server_port}", [b"cat"])
        web.shutdown()
    assert isinstance(result.exception, NotAModelServer)
    assert "REST port is usually 8501" in result.error


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
def test_a_proxy_in_the_way_is_named_and_what_goes_past_it(shell: str, variable: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    # No program listens on port 9.
    monkeypatch.setenv(variable, "http://me:secret@127.0.0.1:9")
    with FakeServer() as server:
        (result,) = classify(shell, server.target, [b"cat"], retry=None)
        assert isinstance(result.exception, ServerUnavailable)
        assert f"the proxy of the environment variable {variable} (http://127.0.0.1:9)" in result.error
        assert "secret" not in result.error
        assert "set no_grpc_proxy=127.0.0.1 to avoid the proxy" in result.error

        monkeypatch.setenv("no_grpc_proxy", "example.org,127.0.0.1")
        (result,) = classify(shell, server.target, [b"cat"], retry=None)
        assert result.label == "cat"
    (result,) = classify(shell, server.target, [b"cat"], retry=None)
    assert "proxy" not in result.error


PROGRAM = """
import sys
from hubserve import Client
with Client(sys.argv[1:], model="m", retry=None) as client:
    for _ in range(4):
        print([result.error for result in client.classify([b"cat"])])
"""


def test_servers_without_a_health_service_leave_no_line_on_standard_error():
    servers, targets = [], []
    answering = FakeServer()
    with answering, grpc.insecure_channel(answering.target) as behind:

        class Predict(grpc.GenericRpcHandler):
            def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
                if details.method.startswith("/grpc.health"):
                    return None
                forward = behind.unary_unary(details.method)
                return grpc.unary_unary_rpc_method_handler(lambda request, _: forward(request))

        for _ in range(2):
            server = grpc.server(ThreadPoolExecutor(4))
            server.add_generic_rpc_handlers((Predict(),))
            targets.append(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
            server.start()
            servers.append(server)
        done = subprocess.run([sys.executable, "-c", PROGRAM, *targets], capture_output=True, text=True, timeout=60)
        for server in servers:
            server.stop(None)
    assert done.stdout == "[None]\n" * 4
    assert done.stderr == ""
