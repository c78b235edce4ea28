"""kubectl on one cluster, and waiting for what a cluster gets to."""

import dataclasses
import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from k8s.manifests import KUBECTL

NAMESPACE = "hubserve"


# The tests delete every namespace with this label, and no other.
OURS = "hubserve-test"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster, as one deployment in one namespace sees it; `own` is one that the tests may do with as they like."""

    kubeconfig: Path
    own: bool
    patience_seconds: int
    namespace: str = NAMESPACE
    name: str = "pnasnet"

    def at(self, namespace: str, name: str) -> "Cluster":
        """The same cluster, for another deployment."""
        return dataclasses.replace(self, namespace=namespace, name=name)

    def try_(self, *arguments: object, objects: list[dict[str, Any]] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [KUBECTL, f"--namespace={self.namespace}", *map(str, arguments)],
            env=self.environment,
            input=yaml.safe_dump_all(objects) if objects is not None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=self.patience_seconds + 60,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def run(self, *arguments: object, objects: list[dict[str, Any]] | None = None) -> str:
        done = self.try_(*arguments, objects=objects)
        assert done.returncode == 0, f"kubectl {' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def apply(self, objects: list[dict[str, Any]]) -> None:
        """As `kubectl apply --server-side` does, but a warning is an error."""
        self.run("apply", "--server-side", "--warnings-as-errors", "-f", "-", objects=objects)

    def get(self, *arguments: object) -> Any:
        return json.loads(self.run("get", *arguments, "-o", "json"))

    def make_namespace(self, level: str = "restricted") -> None:
        """Make this deployment's namespace, with a level of Pod Security."""
        labels = {OURS: "true", "pod-security.kubernetes.io/enforce": level}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}}
        self.run("create", "-f", "-", objects=[namespace])

    def pods(self, name: str | None = None) -> list[dict[str, Any]]:
        """The pods that are not being deleted, of this deployment or of one of its Jobs."""
        labels = f"app.kubernetes.io/name={name or self.name},app.kubernetes.io/instance={self.name}"
        found = self.get("pods", "-l", labels)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready_pods(self) -> list[dict[str, Any]]:
        return [
            pod
            for pod in self.pods()
            if any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"].get("conditions", []))
        ]

    def ready(self) -> list[str]:
        """The nodes of the server's pods that are ready, sorted."""
        return sorted(pod["spec"]["nodeName"] for pod in self.ready_pods())

    def generation(self) -> int:
        return int(self.get(f"deployment/{self.name}")["metadata"]["generation"])

    def rolled_out(self) -> None:
        self.run("rollout", "status", f"deployment/{self.name}", f"--timeout={self.patience_seconds}s")

    def until(self, what: str, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + self.patience_seconds
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"never came: {what}\n{self.run('get', 'pods,replicasets,jobs', '-o', 'wide')}")
            time.sleep(0.2)

    def clean(self) -> None:
        """Takes away what the tests applied."""
        # A pod that has ended stays until its Job has counted it, and a Job that waits for its next try does not count.
        self.run("delete", "jobs", "--all", "--ignore-not-found", f"--timeout={self.patience_seconds}s")
        self.run("delete", "namespace", NAMESPACE, "--ignore-not-found", f"--timeout={self.patience_seconds}s")
        self.run("delete", "namespace", "-l", OURS, "--ignore-not-found", f"--timeout={self.patience_seconds}s")
        classes = [item["metadata"]["name"] for item in self.get("priorityclasses")["items"]]
        for name in (name for name in classes if re.fullmatch(r"(hubserve|team-[ab]|pets)-[\w-]+-serving", name)):
            self.run("delete", "priorityclass", name)
