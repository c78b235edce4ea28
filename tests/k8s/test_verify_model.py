"""The init container of components/verify-model lets a model through as it was published, and no other way."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from k8s.checks import problems
from k8s.manifests import kustomize, load, with_components, write_overlay

_FILES = {"saved_model.pb": b"graph", "variables/variables.index": b"index", "assets/labels.txt": b"cat\n"}


def publish(base: Path, version: int) -> Path:
    """A version as `hubserve export` leaves it, as far as its manifest goes."""
    folder = base / str(version)
    for name, data in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    files = [
        {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in _FILES.items()
    ]
    manifest = folder / "assets.extra" / "export.json"
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"format_version": 1, "files": files}))
    return manifest


def run(root: Path) -> subprocess.CompletedProcess[str]:
    """Runs the container's own command, with folders of ours in place of its volumes."""
    ((pod, _),) = with_components("verify-model").servers()
    (container,) = (item for item in pod.spec["initContainers"] if item["name"] == "verify-model")
    script = container["args"][0].replace("/models/", f"{root}/models/").replace("/manifests/", f"{root}/manifests/")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs}
    return subprocess.run([*container["command"], script], capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "models" / "pnasnet"
    publish(base, 1)
    return base


def test_models_as_they_were_published_are_let_through(tmp_path, base):
    publish(base, 2)
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [f"{base}/{version}: all " in done.stdout for version in (1, 2)] == [True, True]


def append(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"!")


@pytest.mark.parametrize(
    ("name", "alter", "says"),
    [
        ("saved_model.pb", append, "altered  saved_model.pb"),
        ("variables/variables.index", Path.unlink, "missing  variables/variables.index"),
        ("assets/more.txt", Path.touch, "extra    assets/more.txt"),
    ],
)
def test_a_file_that_differs_is_named_and_ends_the_pod(tmp_path, base, name: str, alter: Callable, says: str):
    # In the first of two versions: the second must not make up for it.
    publish(base, 2)
    alter(base / "1" / name)
    done = run(tmp_path)
    assert done.returncode != 0
    assert says in done.stderr


def test_a_manifest_that_was_altered_too_is_found_out_by_the_hash_in_the_cluster(tmp_path, base):
    manifest = base / "1" / "assets.extra" / "export.json"
    pinned = tmp_path / "manifests" / "version-1"
    pinned.parent.mkdir()
    pinned.write_text(hashlib.sha256(manifest.read_bytes()).hexdigest())
    # Another version has a manifest of its own, and this one no pin.
    publish(base, 2)
    assert run(tmp_path).returncode == 0
    append(manifest)
    manifest.write_text(manifest.read_text().removesuffix("!") + "\n")
    done = run(tmp_path)
    assert done.returncode != 0
    assert "altered  assets.extra/export.json" in done.stderr


def test_without_a_model_there_is_nothing_to_serve(tmp_path):
    (tmp_path / "models" / "pnasnet").mkdir(parents=True)
    assert run(tmp_path).returncode != 0


def test_a_hash_in_an_overlay_reaches_the_pod(tmp_path):
    write_overlay(tmp_path, "verify-model")
    kustomization = yaml.safe_load((tmp_path / "kustomization.yaml").read_text())
    kustomization["configMapGenerator"] = [{"name": "pnasnet-manifests", "literals": ["version-1=HASH"]}]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    build = load(kustomize(tmp_path))
    ((pod, _),) = build.servers()
    (volume,) = (item for item in pod.spec["volumes"] if item["name"] == "manifests")
    assert build.one("ConfigMap", volume["configMap"]["name"])["data"] == {"version-1": "HASH"}
    assert problems(build) == []
