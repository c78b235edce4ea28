"""components/mtls: its init container writes what TF Serving reads, and what it tells callers gets them in."""

import subprocess
from pathlib import Path

import grpc
import pytest
import trustme
from click.testing import CliRunner

from hubserve.testing import FakeServer
from hubserve_cli.main import main
from k8s.embedded import PARSERS
from k8s.manifests import with_components


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the container's command with folders of ours in place of its volumes."""
    (pod, _) = next(with_components("mtls").servers())
    (container,) = (item for item in pod.spec["initContainers"] if item["name"] == "ssl-config")
    script = container["args"][0].replace("/secret/", f"{folder}/").replace("/tls/", f"{folder}/")
    return subprocess.run([*container["command"], script], capture_output=True, text=True, check=False)


@pytest.fixture
def secret(tmp_path) -> dict[str, bytes]:
    authority = trustme.CA()
    certificate = authority.issue_cert("pnasnet.hubserve.svc")
    texts = {
        "tls.key": certificate.private_key_pem.bytes(),
        "tls.crt": b"".join(blob.bytes() for blob in certificate.cert_chain_pems),
        "ca.crt": authority.cert_pem.bytes(),
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
    return texts


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_the_server_reads_the_secret_as_it_is(tmp_path, secret, newline):
    for name, text in secret.items():
        (tmp_path / name).write_bytes(text.replace(b"\n", newline))
    assert run(tmp_path).returncode == 0
    config = PARSERS["ssl_config_file"]((tmp_path / "ssl.config").read_text())
    assert config.server_key.encode() == secret["tls.key"]
    assert config.server_cert.encode() == secret["tls.crt"]
    assert config.custom_ca.encode() == secret["ca.crt"]
    assert config.client_verify


@pytest.mark.parametrize("name", ["tls.key", "tls.crt", "ca.crt"])
def test_a_secret_that_lacks_a_part_ends_the_pod(tmp_path, secret, name):
    (tmp_path / name).unlink()
    done = run(tmp_path)
    assert done.returncode != 0
    assert name in done.stderr


def caller(folder: Path) -> dict[str, str]:
    """The variables that components/mtls gives a caller, with a folder of ours in place of its volume."""
    data = with_components("mtls").one("ConfigMap", "pnasnet-client")["data"]
    # Our server is at an address; in the cluster the name that is called is the certificate's.
    return {name: text.replace("/etc/pnasnet-client", str(folder)) for name, text in data.items()} | {
        "HUBSERVE_TLS_SERVER_NAME": "pnasnet-headless"
    }


def test_a_caller_is_let_in_by_what_the_component_tells_it_and_a_stranger_is_not(tmp_path):
    authority = trustme.CA()
    ends = {
        "server": authority.issue_cert(
            *with_components("certificates").one("Certificate", "pnasnet-tls")["spec"]["dnsNames"]
        ),
        "client": authority.issue_cert("pnasnet-client@example.org"),
        "stranger": trustme.CA().issue_cert("stranger@example.org"),
    }
    for name, certificate in ends.items():
        (tmp_path / name).mkdir()
        certificate.private_key_pem.write_to_path(tmp_path / name / "tls.key")
        (tmp_path / name / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        authority.cert_pem.write_to_path(tmp_path / name / "ca.crt")
    assert run(tmp_path / "server").returncode == 0
    config = PARSERS["ssl_config_file"]((tmp_path / "server" / "ssl.config").read_text())
    credentials = grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode(),
        require_client_auth=config.client_verify,
    )
    with FakeServer(credentials=credentials) as server:
        command = ["status", "--server", server.target, "--model", "pnasnet"]
        codes = [
            CliRunner().invoke(main, command, env=environment).exit_code
            for environment in (caller(tmp_path / "client"), caller(tmp_path / "stranger"), {})
        ]
    assert codes == [0, 1, 1]
