"""The options and variables with which a subcommand calls over TLS."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trustme
from click.testing import CliRunner, Result

from hubserve.testing import FakeServer
from hubserve_cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as in a Secret of cert-manager: tls.crt, tls.key, ca.crt, and the server's beside them."""
    folder, authority = tmp_path_factory.mktemp("certificates"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.crt")
    for name, identity in (("tls", "caller@example.org"), ("server", "pnasnet-headless")):
        certificate = authority.issue_cert(identity)
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")
        (folder / f"{name}.crt").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[FakeServer]:
    pair = (folder / "server.key").read_bytes(), (folder / "server.crt").read_bytes()
    asks_who_calls = grpc.ssl_server_credentials(
        [pair], root_certificates=(folder / "ca.crt").read_bytes(), require_client_auth=True
    )
    with FakeServer(credentials=asks_who_calls) as server:
        yield server


def status(server: FakeServer, *options: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, ["status", "--server", server.target, "--model", "pnasnet", *options], env=env)


def files(folder: Path) -> list[str]:
    return ["--tls-ca", f"{folder}/ca.crt", "--tls-cert", f"{folder}/tls.crt", "--tls-key", f"{folder}/tls.key"]


def test_a_server_that_asks_for_a_certificate_is_shown_one(folder: Path, server: FakeServer) -> None:
    result = status(server, *files(folder), "--tls-server-name", "pnasnet-headless")
    assert (result.exit_code, result.stdout) == (0, "pnasnet version 1: AVAILABLE\n")


def test_the_environment_is_enough(folder: Path, server: FakeServer) -> None:
    variables = {
        "HUBSERVE_TLS_CA": f"{folder}/ca.crt",
        "HUBSERVE_TLS_CERT": f"{folder}/tls.crt",
        "HUBSERVE_TLS_KEY": f"{folder}/tls.key",
        "HUBSERVE_TLS_SERVER_NAME": "pnasnet-headless",
    }
    assert status(server, env=variables).exit_code == 0


def test_the_servers_name_is_checked(folder: Path, server: FakeServer) -> None:
    result = status(server, *files(folder))
    assert (result.exit_code, "TLS" in result.stderr) == (1, True)


def test_plainly_such_a_server_is_not_reached(server: FakeServer) -> None:
    assert status(server).exit_code == 1


@pytest.mark.parametrize("half", ["--tls-cert", "--tls-key"])
def test_half_a_pair_is_wrong_usage(folder: Path, server: FakeServer, half: str) -> None:
    result = status(server, half, f"{folder}/tls.crt")
    assert (result.exit_code, "belong together" in result.stderr) == (2, True)


def test_a_file_that_is_not_there_is_wrong_usage(server: FakeServer) -> None:
    result = status(server, "--tls-ca", "nowhere.pem")
    assert (result.exit_code, "'nowhere.pem' does not exist" in result.stderr) == (2, True)
