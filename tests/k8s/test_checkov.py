"""checkov, a scanner of manifests, finds nothing but what k8s/.checkov.yaml lets through, with its reason."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from k8s.manifests import K8S, OVERLAYS, PARTS, Manifests, overlay, with_components


def findings(folder: Path, builds: dict[str, Manifests]) -> list[str]:
    program = shutil.which("checkov")
    if program is None:
        pytest.skip("checkov is not installed; it is large, and no part of the development environment")
    for name, build in builds.items():
        # Each build is one deployment: side by side they would pass for one.
        (folder / name).mkdir()
        (folder / name / "all.yaml").write_text(yaml.safe_dump_all(build.objects))
    done = subprocess.run(
        [program, "--config-file", K8S / ".checkov.yaml", "--directory", folder],
        env={**os.environ, "BC_SKIP_MAPPING": "TRUE"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("Check: ")]
    assert "Passed checks: " in done.stdout, done.stderr
    assert bool(done.returncode) == bool(found), done.stdout
    return found


def test_nothing_is_found(tmp_path):
    builds = {name: overlay(name) for name in OVERLAYS} | {name: with_components(name) for name in PARTS}
    assert findings(tmp_path, builds) == []


def test_a_root_user_would_be_found(tmp_path):
    broken = overlay("gpu").copy()
    next(broken.pods()).spec["securityContext"].update(runAsNonRoot=False, runAsUser=0)
    assert any("CKV_K8S_23" in line for line in findings(tmp_path, {"broken": broken}))
