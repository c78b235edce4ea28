"""kubectl on one cluster, and waiting for what a cluster gets to."""

import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from k8s.manifests import KUBECTL

NAMESPACE = "hubserve"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster, and how long to wait for it; `own` is one that the tests may do with as they like."""

    kubeconfig: Path
    own: bool
    patience_seconds: int

    def try_(self, *arguments: object, objects: list[dict[str, Any]] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [KUBECTL, f"--namespace={NAMESPACE}", *map(str, arguments)],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=yaml.safe_dump_all(objects) if objects is not None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=self.patience_seconds + 60,
        )

    def run(self, *arguments: object, objects: list[dict[str, Any]] | None = None) -> str:
        done = self.try_(*arguments, objects=objects)
        assert done.returncode == 0, f"kubectl {' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def apply(self, objects: list[dict[str, Any]]) -> None:
        """As `kubectl apply --server-side` does, but a warning is an error."""
        self.run("apply", "--server-side", "--warnings-as-errors", "-f", "-", objects=objects)

    def get(self, *arguments: object) -> Any:
        return json.loads(self.run("get", *arguments, "-o", "json"))

    def pods(self, name: str = "pnasnet") -> list[dict[str, Any]]:
        found = self.get("pods", "-l", f"app.kubernetes.io/name={name}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready(self) -> list[str]:
        """The nodes of the server's pods that are ready, sorted."""
        return sorted(
            pod["spec"]["nodeName"]
            for pod in self.pods()
            if any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"].get("conditions", []))
        )

    def rolled_out(self) -> None:
        self.run("rollout", "status", "deployment/pnasnet", f"--timeout={self.patience_seconds}s")

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
        self.run("delete", "priorityclass", "hubserve-pnasnet-serving", "--ignore-not-found")
