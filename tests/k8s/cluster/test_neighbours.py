"""Several deployments beside each other and beside a foreign application, as a reader applies them: with -k.

Two models share a namespace, one model is in two namespaces, and a model has another name. Each is rolled out, scaled,
drained and deleted. The foreign application must not notice.
"""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest

from k8s.cluster.kubectl import Cluster
from k8s.generated import written
from k8s.models import MODELS, write_model

_DRAIN = ("drain", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s")
_WITH = "monitoring,autoscaling-keda,gateway,priority"
_REST = "monitoring,autoscaling-hpa,certificates,mtls,verify-model,no-spare-gpu"
# What another application may have: a pod that runs as root, with some of our labels.
_FOREIGN_LABELS = {"app": "web", "app.kubernetes.io/name": "pnasnet", "app.kubernetes.io/part-of": "shop"}


@dataclasses.dataclass(frozen=True)
class Deployed:
    """A model's manifests in a folder, and the cluster as their deployment sees it."""

    at: Cluster
    folder: Path

    def apply(self, *options: str) -> list[str]:
        """Gives what kubectl says of each object that it changes."""
        said = self.at.run("apply", "-k", self.folder, *options).splitlines()
        return [line for line in said if not line.endswith((" unchanged", " serverside-applied"))]

    def delete(self) -> None:
        self.at.run("delete", "-k", self.folder, f"--timeout={self.at.patience_seconds}s")
        self.at.until("no pod", lambda: not self.at.pods())

    def callees(self) -> set[str]:
        """The pods that callers of the two Services reach."""
        found = set()
        for service in (self.at.name, f"{self.at.name}-headless"):
            slices = self.at.get("endpointslices", "-l", f"kubernetes.io/service-name={service}")["items"]
            found |= {end["targetRef"]["name"] for each in slices for end in each["endpoints"] or []}
        return found

    def names(self) -> set[str]:
        return {pod["metadata"]["name"] for pod in self.at.pods()}

    def revisions(self) -> set[str]:
        """Return the ReplicaSets that pods are made from: a roll-out adds one."""
        labels = f"app.kubernetes.io/instance={self.at.name}"
        return {item["metadata"]["name"] for item in self.at.get("replicasets", "-l", labels)["items"]}

    def in_order(self) -> None:
        """Waits until its own ready pods, and no others, are what callers reach."""
        self.at.rolled_out()
        self.at.until("the pods behind the Services", lambda: self.callees() == self.names() != set())


def deployed(cluster: Cluster, folder: Path, namespace: str, name: str, *options: str) -> Deployed:
    model = folder / "models" / name
    if not model.exists():
        write_model(model, MODELS[name], 1)
    output = written(model, folder / namespace / name, "--namespace", namespace, "--overlay", "mine", *options)
    return Deployed(cluster.at(namespace, name), output / "overlays" / "mine")


class Foreign:
    """Another application in a namespace, which would be refused under "restricted"."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.at = cluster.at(namespace, "web")
        self.at.make_namespace("privileged")
        container = {"name": "web", "image": "web:1", "securityContext": {"runAsUser": 0}}
        selector = {"matchLabels": _FOREIGN_LABELS}
        self.at.run("create", "-f", "-", objects=[
            {
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                "spec": {
                    "replicas": 2, "selector": selector,
                    "template": {"metadata": {"labels": _FOREIGN_LABELS}, "spec": {"containers": [container]}},
                },
            },
            {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            },
        ])  # fmt: skip
        self.at.rolled_out()
        self.before = self.state()

    def pods(self) -> list[dict[str, Any]]:
        pods: list[dict[str, Any]] = self.at.get("pods", "-l", "app=web")["items"]
        return pods

    def state(self) -> dict[str, Any]:
        return {
            "pods": {pod["metadata"]["uid"]: pod["metadata"]["labels"] for pod in self.pods()},
            "namespace": self.at.get("namespace", self.at.namespace)["metadata"]["labels"],
            "claim": self.at.get("pvc/data")["metadata"]["uid"],
            "deployment": self.at.get("deployment/web")["metadata"]["uid"],
        }

    def notices_nothing(self) -> None:
        """Holds the application to its state before, and every policy and budget of the namespace to its selector."""
        assert self.state() == self.before
        labels = self.pods()[0]["metadata"]["labels"]
        for kind, field in (("networkpolicies", "podSelector"), ("pdb", "selector")):
            for item in self.at.get(kind)["items"]:
                wanted = item["spec"][field].get("matchLabels", {})
                assert not wanted.items() <= labels.items(), item["metadata"]["name"]

    def restarts(self) -> None:
        self.at.run("rollout", "restart", "deployment/web")
        self.at.rolled_out()


@pytest.fixture
def foreign(own_cluster: Cluster) -> Foreign:
    return Foreign(own_cluster, "team-a")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cats-dogs", ()),
        ("cats-dogs", ("--with", _WITH)),
        ("pnasnet", ("--with", _WITH)),
        ("mobile-features", ("--with", _REST)),
    ],
    ids=["cats-dogs", "cats-dogs-production", "pnasnet-production", "mobile-features-with-the-rest"],
)
def test_client_side_and_then_server_side_apply_twice(own_cluster, foreign, tmp_path, name, options):
    model = deployed(own_cluster, tmp_path, "team-a", name, *options)
    assert all(line.endswith(" created") for line in model.apply())
    model.in_order()
    revisions = model.revisions()
    # kubectl replaces the selector of a budget whole, and says so.
    budget = [f"poddisruptionbudget.policy/{name} configured"]
    assert model.apply() == budget
    # kubectl's own manager, then another one, as a GitOps tool has; without --force-conflicts.
    for manager in ("kubectl", "kubectl", "gitops", "gitops"):
        model.apply("--server-side", f"--field-manager={manager}")
    # Back to client-side apply: kubectl notes what it applied last, and nothing rolls.
    model.apply()
    model.in_order()
    assert model.revisions() == revisions
    model.delete()
    foreign.notices_nothing()
    foreign.restarts()


def test_kserves_objects_are_applied_twice_without_a_conflict(own_cluster, foreign, tmp_path):
    """No KServe runs here; its custom resources are its own, as of its release."""
    model = deployed(
        own_cluster, tmp_path, "team-a", "cats-dogs", "--with", "kserve,monitoring,gateway", "--replicas", "2"
    )
    model.apply()
    assert model.apply() == ["poddisruptionbudget.policy/cats-dogs configured"]
    for manager in ("kubectl", "gitops", "gitops"):
        model.apply("--server-side", f"--field-manager={manager}", "--warnings-as-errors")
    service = model.at.get("inferenceservice/cats-dogs")["spec"]["predictor"]
    assert service["minReplicas"] == 2
    assert [item["name"] for item in service["initContainers"]] == ["gpu-check", "model"]
    # The base's Services wait for the pods that KServe makes.
    assert model.callees() == set()
    model.delete()
    foreign.notices_nothing()


def test_two_models_in_one_namespace(own_cluster, foreign, tmp_path):
    first = deployed(own_cluster, tmp_path, "team-a", "cats-dogs", "--with", _WITH)
    second = deployed(own_cluster, tmp_path, "team-a", "mobile-features")
    for model in (first, second):
        model.apply("--server-side")
        model.at.run("scale", f"deployment/{model.at.name}", "--replicas=1")
    for model in (first, second):
        model.in_order()
    assert not first.callees() & second.callees()
    # Each pod has one budget, and can be evicted.
    for node in ("gpu-1", "gpu-2"):
        own_cluster.run(*_DRAIN, node)
        own_cluster.run("uncordon", node)
        for model in (first, second):
            model.in_order()
    # One is scaled, and the other keeps its pod.
    second.at.run("scale", "deployment/mobile-features", "--replicas=0")
    second.at.until("no pod of the second", lambda: not second.at.pods())
    first.at.run("scale", "deployment/cats-dogs", "--replicas=2")
    first.at.until("both pods of the first", lambda: len(first.at.ready()) == 2)
    first.in_order()
    first.delete()
    second.at.run("scale", "deployment/mobile-features", "--replicas=1")
    second.in_order()
    second.delete()
    foreign.notices_nothing()
    foreign.restarts()


def test_the_same_model_in_two_namespaces(own_cluster, foreign, tmp_path):
    own_cluster.at("team-b", "pnasnet").make_namespace()
    first, second = (
        deployed(own_cluster, tmp_path, namespace, "pnasnet", "--with", _WITH) for namespace in ("team-a", "team-b")
    )
    for model, options in itertools.product((first, second), ((), ("--server-side",))):
        model.apply(*options)
        model.at.run("scale", "deployment/pnasnet", "--replicas=1")
    for model in (first, second):
        model.in_order()
    first.delete()
    # What belongs to the whole cluster is there still for the other: its pods can be made anew.
    second.at.run("rollout", "restart", "deployment/pnasnet")
    second.in_order()
    second.delete()
    foreign.notices_nothing()
    foreign.restarts()


def test_an_admin_of_the_namespace_needs_no_right_in_the_cluster(own_cluster, foreign, tmp_path):
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "admins"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ada"}],
    }  # fmt: skip
    model = deployed(own_cluster, tmp_path, "team-a", "cats-dogs")
    model.at.run("create", "-f", "-", objects=[binding])
    refused = model.at.try_("label", "namespace", "team-a", "a=b", "--as=ada")
    assert 'cannot patch resource "namespaces"' in refused.stderr
    model.apply("--as=ada")
    model.apply("--server-side", "--as=ada")
    model.in_order()
    model.at.run("delete", "-k", model.folder, "--as=ada", f"--timeout={model.at.patience_seconds}s")
    foreign.notices_nothing()
