"""The control plane's program, built once from Kubernetes', etcd's and kwok's own Go modules.

PYTHONPATH=tests python -m k8s.cluster.build             builds it, if it has not been, and prints where it is
PYTHONPATH=tests python -m k8s.cluster.build --found     ends with 1 if it has not been built
PYTHONPATH=tests python -m k8s.cluster.build --download  brings the modules only
"""

import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from k8s import crds

_SOURCES = Path(__file__).parent
_MADE_FROM = ("go.mod", "go.sum", "main.go", "build.py", "../crds.py")
# The tests play the kubelet for pods with this label, to let them fail as they want.
HANDS_OFF = "hubserve-test-by-hand"
# What kwok does with nodes and pods is in files of its own module: all goes well, at once.
_NODE_STAGES = ("node/fast/node-initialize.yaml", "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml")
_POD_STAGES = ("pod/fast/pod-ready.yaml", "pod/fast/pod-complete.yaml", "pod/fast/pod-delete.yaml")


@dataclasses.dataclass(frozen=True)
class Built:
    """A folder that has all a control plane needs, so that neither Go nor a network is needed to run it again."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "control-plane"

    @property
    def stages(self) -> list[dict[str, Any]]:
        """The stages that kwok plays."""
        return json.loads((self.folder / "stages.json").read_text(encoding="utf-8"))

    @property
    def crds(self) -> list[dict[str, Any]]:
        return json.loads((self.folder / "crds.json").read_text(encoding="utf-8"))


def _place() -> Built:
    """Return the place of the control plane that these sources make, whether it is there or not."""
    sources = b"".join((_SOURCES / name).read_bytes() for name in _MADE_FROM)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hubserve"
    return Built(cache / f"control-plane-{hashlib.sha256(sources).hexdigest()[:16]}.d")


def found() -> Built | None:
    """One that was built before."""
    place = _place()
    return place if place.folder.exists() else None


def can_be_built() -> bool:
    return shutil.which("go") is not None


def build() -> Built:
    """One that was built before, or else now, from its Go modules: that takes many minutes."""
    if built := found():
        return built
    place = _place()
    print(f"building {place.folder} from Kubernetes' own modules: this takes many minutes, once", file=sys.stderr)
    place.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.folder.parent) as scratch:
        new = Built(Path(scratch) / "new")
        new.folder.mkdir()
        _compile(new.program)
        (new.folder / "stages.json").write_text(json.dumps(_stages()), encoding="utf-8")
        (new.folder / "crds.json").write_text(
            json.dumps([crds.without_words(crd) for _, crd in crds.download()]), encoding="utf-8"
        )
        new.folder.rename(place.folder)
    return place


def _compile(program: Path) -> None:
    # Kubernetes' own build writes its version so; clients ask for it.
    version = re.search(r"k8s.io/kubernetes v(\d+)\.(\d+)\.\d+", (_SOURCES / "go.mod").read_text(encoding="utf-8"))
    assert version
    written = {"gitMajor": version[1], "gitMinor": version[2], "gitVersion": version[0].split()[1]}
    stamps = [f"-X k8s.io/component-base/version.{name}={value}" for name, value in written.items()]
    # -v prints each package when it is built: some thousand lines, which show that it goes on.
    flags = ["-v", "-buildvcs=false", f"-ldflags=-s -w {' '.join(stamps)}"]
    subprocess.run(["go", "build", *flags, "-o", str(program), "."], cwd=_SOURCES, check=True)


def _stages() -> list[dict[str, Any]]:
    """Return the stages of kwok's own module; pods with the label HANDS_OFF stay as they are."""
    command = ["go", "mod", "download", "-json", "sigs.k8s.io/kwok"]
    module = json.loads(subprocess.run(command, cwd=_SOURCES, stdout=subprocess.PIPE, check=True).stdout)["Dir"]
    stages = [
        yaml.safe_load(Path(module, "kustomize", "stage", name).read_text()) for name in (*_NODE_STAGES, *_POD_STAGES)
    ]
    for stage in stages:
        if stage["metadata"]["name"] in ("pod-ready", "pod-complete"):
            label = {"key": f'.metadata.labels["{HANDS_OFF}"]', "operator": "DoesNotExist"}
            stage["spec"]["selector"]["matchExpressions"].append(label)
    return stages


def download() -> None:
    """Brings every module that the build needs, which is all that it needs a network for."""
    subprocess.run(["go", "mod", "download"], cwd=_SOURCES, check=True)
    for _ in crds.download():
        pass


def main() -> None:
    if "--download" in sys.argv:
        download()
        return
    built = found() if "--found" in sys.argv else build()
    if built is None:
        sys.exit(1)
    print(built.folder)


if __name__ == "__main__":
    main()
