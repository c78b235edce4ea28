"""`kubectl apply -k` and `kubectl delete -k`, over real HTTP: all there, all unchanged the second time, all gone."""

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


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_applied_once_and_deleted_whole(tmp_path, name):
    objects = overlay(name).objects
    with stub_server(objects) as server:
        apply = ("apply", "-k", K8S / "overlays" / name, "--validate=false")
        created = kubectl(server, tmp_path, *apply)
        assert len(server.kept) == len(created) == len(objects)
        assert all(line.endswith(" created") for line in created)

        again = kubectl(server, tmp_path, *apply)
        # kubectl sends a budget whole each time: its fields are replaced, not merged.
        changed = [line for line in again if not line.endswith(" unchanged")]
        assert changed == ["poddisruptionbudget.policy/pnasnet configured"]

        deleted = kubectl(server, tmp_path, "delete", "-k", K8S / "overlays" / name, "--wait=false")
        assert len(deleted) == len(objects)
        assert server.kept == {}
