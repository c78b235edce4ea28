"""TLS end to end, with certificates made here: a peer that must not be trusted is refused, with a remedy.

What is right (an own authority, mutual TLS, the token's rule) is in tests/client/test_security.py.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import grpc
import pytest
import trustme

from client.shells import SHELLS, classify
from hubserve import TLS, Classification, Retry, ServerUnavailable
from hubserve.testing import FakeServer

DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.timezone.utc)
EXPIRED = {"not_before": NOW - 9 * DAY, "not_after": NOW - DAY}
TO_COME = {"not_before": NOW + DAY, "not_after": NOW + 9 * DAY}
# If the server hangs up, gRPC cannot distinguish that from a server that ended: the call is retried for this time.
BRIEFLY = Retry(max_seconds=0.5)
SERVERS, CLIENTS = trustme.CA(), trustme.CA()


def pair(certificate: trustme.LeafCert) -> tuple[bytes, bytes]:
    """The private key and the chain."""
    return certificate.private_key_pem.bytes(), b"".join(blob.bytes() for blob in certificate.cert_chain_pems)


def server(name: str = "127.0.0.1", *, clients: trustme.CA | None = None, **validity: Any) -> FakeServer:
    credentials = grpc.ssl_server_credentials(
        [pair(SERVERS.issue_cert(name, **validity))],
        root_certificates=clients.cert_pem.bytes() if clients else None,
        require_client_auth=clients is not None,
    )
    return FakeServer(credentials=credentials)


def trusting(certificate: trustme.LeafCert | None = None, key_of: trustme.LeafCert | None = None) -> TLS:
    """A client that trusts the servers' authority and shows a certificate, with its key or another's."""
    key, chain = pair(certificate) if certificate else (None, None)
    return TLS(ca=SERVERS.cert_pem.bytes(), certificate=chain, key=pair(key_of)[0] if key_of else key)


def refused(shell: str, running: FakeServer, tls: TLS | None) -> Classification:
    """The result of an image that the two did not come to an understanding about."""
    (result,) = classify(shell, running.target, [b"cat"], tls=tls, retry=BRIEFLY, timeout=60)
    assert isinstance(result.exception, ServerUnavailable), result
    assert running.requests == []
    return result


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("validity", "says"), [(EXPIRED, "has expired"), (TO_COME, "not yet valid")])
def test_a_server_is_trusted_only_while_its_certificate_is_valid(shell: str, validity: dict[str, Any], says: str):
    with server(**validity) as running:
        result = refused(shell, running, trusting())
    assert "do not agree on TLS" in result.error
    assert says in result.exception.details


@pytest.mark.parametrize("shell", SHELLS)
def test_a_client_of_tls_does_not_talk_to_a_server_without(shell: str):
    with FakeServer() as running:
        result = refused(shell, running, trusting())
    assert "do not agree on TLS" in result.error


@pytest.mark.parametrize("shell", SHELLS)
def test_a_client_without_tls_learns_what_a_server_that_hangs_up_may_want(shell: str):
    with server() as running:
        result = refused(shell, running, None)
    assert "if it uses TLS, give tls=" in result.error


@pytest.mark.parametrize(
    "make",
    [
        lambda: trusting(trustme.CA().issue_cert("client@example.org")),
        lambda: trusting(CLIENTS.issue_cert("client@example.org", **EXPIRED)),
        lambda: trusting(SERVERS.issue_cert("client@example.org")),
    ],
    ids=["another authority's", "expired", "the servers' authority's"],
)
def test_a_client_whose_certificate_is_not_good_is_not_let_in(make: Callable[[], TLS]):
    with server(clients=CLIENTS) as running:
        refused("threads", running, make())


@pytest.mark.parametrize("shell", SHELLS)
def test_a_key_that_is_not_the_certificates_is_said_to_be_the_clients_own_matter(shell: str):
    one, other = CLIENTS.issue_cert("one@example.org"), CLIENTS.issue_cert("other@example.org")
    with server(clients=CLIENTS) as running:
        result = refused(shell, running, trusting(one, key_of=other))
    assert "tls= cannot be used" in result.error
    assert "that key belongs to certificate" in result.error


def test_files_that_are_not_pem_are_reported_as_the_clients_own_fault():
    with server() as running:
        result = refused("threads", running, TLS(ca=b"-----BEGIN NONSENSE-----"))
    assert "tls= cannot be used" in result.error


def test_a_pair_whose_authority_is_withdrawn_is_shut_out_while_the_server_runs_and_its_successor_let_in():
    """Withdraw the authority: neither gRPC's Python server nor TF Serving looks at revocation lists."""
    own, old, new = pair(SERVERS.issue_cert("127.0.0.1")), trustme.CA(), trustme.CA()
    trusted = old

    def configuration() -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([own], root_certificates=trusted.cert_pem.bytes())

    credentials = grpc.dynamic_ssl_server_credentials(
        configuration(), configuration, require_client_authentication=True
    )
    with FakeServer(credentials=credentials) as running:
        first = trusting(old.issue_cert("client@example.org"))
        (result,) = classify("threads", running.target, [b"cat"], tls=first)
        assert result.label == "cat"
        trusted = new
        running.requests.clear()
        refused("threads", running, first)
        (result,) = classify("threads", running.target, [b"dog"], tls=trusting(new.issue_cert("client@example.org")))
        assert result.label == "dog"
