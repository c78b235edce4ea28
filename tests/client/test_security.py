"""TLS, mutual TLS and tokens against a real server; no secret is ever shown."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from client.shells import SHELLS, classify
from hubserve import TLS, AccessDenied, AsyncClient, Client, DeadlineExceeded, ServerUnavailable, UsageError
from hubserve.testing import FakeServer

SECRET = "s3cret-token"  # noqa: S105 - it opens nothing


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return path


def credentials(ca: trustme.CA, *, name: str = "127.0.0.1", clients: trustme.CA | None = None) -> Any:
    certificate = ca.issue_cert(name)
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    return grpc.ssl_server_credentials(
        [(certificate.private_key_pem.bytes(), chain)],
        root_certificates=clients.cert_pem.bytes() if clients else None,
        require_client_auth=clients is not None,
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_an_own_authority_is_trusted_and_the_token_travels_encrypted(shell: str, ca: trustme.CA, ca_file: Path):
    with FakeServer(credentials=credentials(ca)) as server:
        (result,) = classify(shell, server.target, [b"cat"], tls=TLS(ca=ca_file), token=SECRET)

    assert result.label == "cat"
    assert server.requests[0].metadata["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("name", ["ca", "certificate", "key"])
def test_a_tls_file_that_cannot_be_read_is_refused_where_the_client_is_made(kind: Any, name: str, ca_file: Path):
    files = {"ca": ca_file, "certificate": ca_file, "key": ca_file, name: ca_file.parent / "missing.pem"}
    with pytest.raises(UsageError, match=f"TLS {name} .*missing.pem cannot be read"):
        kind("localhost:1", model="m", tls=TLS(**files))


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("options", [{"grpc.x": 1.5}, {"grpc.x": object()}, {5: 1}])
def test_channel_options_that_grpc_does_not_take_are_refused_where_the_client_is_made(kind: Any, options: Any):
    with pytest.raises(UsageError, match="channel_options must map"):
        kind("localhost:1", model="m", channel_options=options)


@pytest.mark.parametrize("shell", SHELLS)
def test_tls_files_are_read_when_the_client_is_made_and_not_again(shell: str, ca: trustme.CA, tmp_path: Path):
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(file)
    with FakeServer(credentials=credentials(ca)) as server:
        client = {"threads": Client, "asyncio": AsyncClient}[shell](server.target, model="m", tls=TLS(ca=file))
        file.unlink()
        if shell == "threads":
            with client:
                assert client.status()[0].available
        else:

            async def run() -> None:
                async with client:
                    assert (await client.status())[0].available

            asyncio.run(run())


@pytest.mark.parametrize("shell", SHELLS)
def test_a_server_of_an_unknown_authority_is_not_trusted(shell: str, ca: trustme.CA):
    stranger = trustme.CA().cert_pem.bytes()
    with FakeServer(credentials=credentials(ca)) as server:
        (result,) = classify(shell, server.target, [b"cat"], tls=TLS(ca=stranger), token=SECRET)

    assert isinstance(result.exception, ServerUnavailable)
    assert "do not agree on TLS" in result.error
    assert server.requests == []


def test_a_certificate_of_another_name_needs_that_name_to_be_given(ca: trustme.CA, ca_file: Path):
    with FakeServer(credentials=credentials(ca, name="models.internal")) as server:
        (refused,) = classify("threads", server.target, [b"cat"], tls=TLS(ca=ca_file))
        (result,) = classify("threads", server.target, [b"cat"], tls=TLS(ca=ca_file, server_name="models.internal"))

    assert "do not agree on TLS" in refused.error
    assert result.label == "cat"


@pytest.mark.parametrize("shell", SHELLS)
def test_several_servers_are_known_each_by_its_own_name(shell: str, ca: trustme.CA, ca_file: Path):
    # Two names of this machine, and a third server that shows another than its own.
    with (
        FakeServer(version=1, credentials=credentials(ca, name="127.0.0.1")) as one,
        FakeServer(version=2, credentials=credentials(ca, name="localhost")) as other,
        FakeServer(version=3, credentials=credentials(ca, name="models.internal")) as wrong,
    ):
        ports = [server.target.rpartition(":")[2] for server in (one, other, wrong)]
        targets = [f"127.0.0.1:{ports[0]}", f"localhost:{ports[1]}", f"localhost:{ports[2]}"]
        images = [b"%d" % number for number in range(40)]

        seen: set[int | None] = set()
        # As soon as both are connected to.
        while seen != {1, 2}:
            results = classify(shell, targets[:2], images, tls=TLS(ca=ca_file), max_batch_size=1)
            seen.update(result.model_version for result in results)
        (refused,) = classify(shell, targets[2:], [b"cat"], tls=TLS(ca=ca_file))

    assert "do not agree on TLS" in refused.error
    assert wrong.requests == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_server_may_ask_who_the_client_is(shell: str, ca: trustme.CA, ca_file: Path):
    clients = trustme.CA()
    own = clients.issue_cert("client@example.org")
    chain = b"".join(blob.bytes() for blob in own.cert_chain_pems)
    with FakeServer(credentials=credentials(ca, clients=clients)) as server:
        mutual = TLS(ca=ca_file, certificate=chain, key=own.private_key_pem.bytes())
        (result,) = classify(shell, server.target, [b"cat"], tls=mutual)
        (refused,) = classify(shell, server.target, [b"cat"], tls=TLS(ca=ca_file), retry=None, timeout=3)

    assert result.label == "cat"
    # The server hangs up, and gRPC may not hear of it before the time is over.
    assert isinstance(refused.exception, ServerUnavailable | DeadlineExceeded)
    assert len(server.requests) == 1


@pytest.mark.parametrize("make", [Client, AsyncClient])
@pytest.mark.parametrize("target", ["localhost:8500", "unix:/run/model.sock", "dns:///models:8500"])
def test_a_token_never_travels_unencrypted_unless_that_is_allowed(make: Any, target: str):
    with pytest.raises(UsageError, match="allow_plaintext_token=True") as raised:
        make(target, model="m", token=SECRET)
    assert SECRET not in str(raised.value)

    make(target, model="m", token=SECRET, allow_plaintext_token=True)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_token_function_is_asked_for_every_call(shell: str):
    tokens = iter(["first", "second"])
    with FakeServer() as server:
        results = classify(
            shell,
            server.target,
            [b"a", b"b"],
            token=lambda: next(tokens),
            allow_plaintext_token=True,
            max_batch_size=1,
            concurrency=1,
        )

    assert [result.label for result in results] == ["a", "b"]
    assert [request.metadata["authorization"] for request in server.requests] == ["Bearer first", "Bearer second"]


def test_a_token_function_may_be_a_coroutine_function():
    async def token() -> str:
        return "fetched"

    with FakeServer() as server:
        classify("asyncio", server.target, [b"cat"], token=token, allow_plaintext_token=True)

    assert server.requests[0].metadata["authorization"] == "Bearer fetched"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_token_function_that_fails_is_the_error_of_the_images(shell: str):
    def token() -> str:
        raise OSError("no token service")

    with FakeServer() as server:
        (result,) = classify(shell, server.target, [b"cat"], token=token, allow_plaintext_token=True)

    assert isinstance(result.exception, AccessDenied)
    assert "the token function raised OSError" in result.error
    assert isinstance(result.exception.__cause__, OSError)
    assert server.requests == []


@pytest.mark.parametrize("wrong", ["", "two\nlines", "naïve", 7])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(wrong: Any):
    with pytest.raises(UsageError, match="printable ASCII") as raised:
        Client("localhost:1", model="m", token=wrong, allow_plaintext_token=True)
    assert not wrong or str(wrong) not in str(raised.value)


def test_secrets_are_in_no_repr_and_no_log(caplog: pytest.LogCaptureFixture, ca: trustme.CA):
    own = ca.issue_cert("client@example.org")
    tls = TLS(ca=ca.cert_pem.bytes(), certificate=own.cert_chain_pems[0].bytes(), key=own.private_key_pem.bytes())
    caplog.set_level(logging.DEBUG)
    with FakeServer(credentials=credentials(ca)) as server:
        client = Client(server.target, model="m", tls=tls, token=SECRET)
        shown = repr(client) + repr(tls) + repr(client._settings) + repr(client._server) + str(vars(TLS))
        list(client.classify([b"cat"]))
        client.close()

    assert SECRET not in shown + caplog.text
    assert "PRIVATE KEY" not in shown + caplog.text


def test_half_an_identity_and_a_missing_file_are_refused():
    with pytest.raises(UsageError, match="certificate and key together"):
        TLS(key=b"key")
    with pytest.raises(UsageError, match=r"TLS ca nowhere\.pem cannot be read \(No such file"):
        Client("localhost:1", model="m", tls=TLS(ca="nowhere.pem"))
