"""`kubectl apply -k` and `delete -k`, over real HTTP: all there, unchanged the second time, gone but the namespace."""

import json
import subprocess
from pathlib import Path

import pytest

from k8s.manifests import K8S, KUBECTL, OVERLAYS, overlay
from k8s.stub_server import StubServer, stub_server


def kubectl(server: StubServer, home: Path, *arguments: object) -> list[str]:
    """Runs kubectl, with no configuration but the server's address; gives the lines it prints."""
    done = subprocess.run(
        [KUBECTL, f"--server={server.url}", *map(str, arguments)],
        env={"HOME": str(home), "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hubserve"}}


def namespace_file(folder: Path) -> Path:
    file = folder / "namespace.json"
    file.write_text(json.dumps(_NAMESPACE))
    return file


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_applied_once_and_deleted_whole(tmp_path, name):
    objects = overlay(name).objects
    with stub_server([*objects, _NAMESPACE]) as server:
        (there,) = kubectl(server, tmp_path, "create", "--validate=false", "-f", namespace_file(tmp_path))
        assert there == "namespace/hubserve created"
        apply = ("apply", "-k", K8S / "overlays" / name, "--validate=false")
        created = kubectl(server, tmp_path, *apply)
        assert len(server.kept) - 1 == len(created) == len(objects)
        assert all(line.endswith(" created") for line in created)

        again = kubectl(server, tmp_path, *apply)
        # kubectl sends a budget whole each time: its fields are replaced, not merged.
        changed = [line for line in again if not line.endswith(" unchanged")]
        assert changed == ["poddisruptionbudget.policy/pnasnet configured"]

        deleted = kubectl(server, tmp_path, "delete", "-k", K8S / "overlays" / name, "--wait=false")
        assert len(deleted) == len(objects)
        # The namespace stays, with all that others have in it.
        assert list(server.kept) == ["/api/v1/namespaces/hubserve"]
