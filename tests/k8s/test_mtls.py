"""The init container of components/mtls writes what TF Serving reads: run here by a real shell."""

import subprocess
from pathlib import Path

import pytest
import trustme

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
