"""A cluster to test on: the one that KUBECONFIG names, or else a control plane of our own, if there is Go to build it.

`make test-cluster` is `pytest tests/k8s/cluster --cluster`; without the option all is skipped, because users do not
expect the unit tests to deploy something.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from k8s.cluster.build import build, can_be_built, found
from k8s.cluster.control_plane import control_plane
from k8s.cluster.kubectl import NAMESPACE, Cluster
from k8s.manifests import with_components

_OWN_SECONDS = 90
# A real server loads a model; the start-up probe gives it as long.
_REAL_SECONDS = 1200


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cluster", action="store_true", help="run the tests that need a cluster")


def _node(name: str, *, gpus: int, labels: dict[str, str] | None = None) -> dict:
    allocatable = {"cpu": "16", "memory": "64Gi", "ephemeral-storage": "200Gi", "pods": "110"}
    taints = [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]
    if gpus:
        allocatable["nvidia.com/gpu"] = str(gpus)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {"taints": taints} if gpus else {},
        "status": {"allocatable": allocatable, "capacity": allocatable},
    }


_BLACKWELL = {"nvidia.com/gpu.compute.major": "12"}
_NODES = [
    _node("gpu-1", gpus=1, labels={"nvidia.com/gpu.compute.major": "8"}),
    # Feature discovery does not run on every cluster.
    _node("gpu-2", gpus=1),
    # A free GPU that the image has no code for: no pod may land there.
    _node("gpu-3", gpus=1, labels=_BLACKWELL),
    _node("no-gpu", gpus=0),
]


@pytest.fixture(scope="session")
def running_cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if not request.config.getoption("--cluster", default=False):
        pytest.skip("make test-cluster runs these")
    if named := os.environ.get("KUBECONFIG"):
        cluster = Cluster(Path(named), own=False, patience_seconds=_REAL_SECONDS)
        if cluster.run("get", "namespace", NAMESPACE, "--ignore-not-found"):
            pytest.fail(
                f"the cluster has a namespace {NAMESPACE} already, which the tests would delete: name another one"
            )
        yield cluster
        return
    if not (found() or can_be_built()):
        pytest.skip("KUBECONFIG names no cluster, and there is no Go to build a control plane with")
    # The build takes many minutes and prints what it does: pytest would keep that back.
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        built = build()
    with control_plane(built, tmp_path_factory.mktemp("cluster")) as kubeconfig:
        cluster = Cluster(kubeconfig, own=True, patience_seconds=_OWN_SECONDS)
        cluster.run("create", "-f", "-", objects=built.crds)
        # kubectl gives up on a resource that has no conditions yet.
        wait = ("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        cluster.until("the custom resources", lambda: cluster.try_(*wait).returncode == 0)
        cluster.run("create", "-f", "-", objects=_NODES)
        wait_nodes = ("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
        cluster.until("the nodes", lambda: cluster.try_(*wait_nodes).returncode == 0)
        yield cluster


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, with nothing of ours in it; one of our own has four nodes, two with a GPU for us."""
    running_cluster.clean()
    # "restricted" is enforced, as in a namespace of components/namespace.
    running_cluster.apply(with_components("namespace").of("Namespace"))
    yield running_cluster
    running_cluster.clean()


@pytest.fixture
def own_cluster(cluster: Cluster) -> Cluster:
    """A cluster whose nodes and pods are played."""
    if not cluster.own:
        pytest.skip("needs nodes that can be drained, and pods that fail when they are told to")
    cluster.run("uncordon", *(node["metadata"]["name"] for node in _NODES))
    return cluster
