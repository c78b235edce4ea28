"""Every overlay on a real control plane: taken without a warning, placed on GPUs, rolled out, drained, rolled back.

The repository's manifests run, and those that the generator writes for two other models.
"""

import dataclasses
from collections.abc import Sequence

import pytest

from k8s.cluster.kubectl import Cluster
from k8s.generated import generated, generated_overlay
from k8s.manifests import OVERLAYS, Manifest, Manifests, overlay
from k8s.models import MODELS


@dataclasses.dataclass(frozen=True)
class Model:
    """A model's manifests. Those of pnasnet are the repository's, except for its second version."""

    name: str

    def overlay(self, name: str = "gpu", version: int = 1) -> Manifests:
        if self.name == "pnasnet" and version == 1:
            return overlay(name)
        return generated_overlay(self.name, name, version=version)

    def with_components(self, *names: str, version: int = 1) -> Manifests:
        return generated(self.name, *names, version=version)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    return Model(request.param)


@pytest.fixture
def rolls(cluster: Cluster, model: Model) -> Cluster:
    """The cluster, as the deployment of this model sees it."""
    return cluster.at(cluster.namespace, model.name)


@pytest.fixture
def own_rolls(own_cluster: Cluster, model: Model) -> Cluster:
    return own_cluster.at(own_cluster.namespace, model.name)


def replicas(build: Manifests, number: int) -> Sequence[Manifest]:
    changed = build.copy()
    changed.one("Deployment")["spec"]["replicas"] = number
    return changed.objects


def config_of(cluster: Cluster) -> str:
    (volume,) = (
        item
        for item in cluster.get(f"deployment/{cluster.name}")["spec"]["template"]["spec"]["volumes"]
        if item["name"] == "config"
    )
    return volume["configMap"]["name"]


def prune(cluster: Cluster, build: Manifests) -> set[str]:
    """Delete configurations that a build no longer has, as Argo CD and Flux do; return those that they keep."""
    wanted = {item["metadata"]["name"] for item in build.of("ConfigMap")}
    kept = set()
    for item in cluster.get("configmaps", "-l", f"app.kubernetes.io/instance={cluster.name}")["items"]:
        name, annotations = item["metadata"]["name"], item["metadata"].get("annotations", {})
        if name not in wanted:
            argo = annotations.get("argocd.argoproj.io/sync-options") == "Prune=false"
            flux = annotations.get("kustomize.toolkit.fluxcd.io/prune") == "disabled"
            if argo and flux:
                kept.add(name)
            else:
                cluster.run("delete", "configmap", name)
    return kept


def lacks(cluster: Cluster, build: Manifests) -> str:
    """Objects that the build needs, and that a user's cluster may not have."""
    for item in build.of("ScaledObject", "PodMonitor", "PrometheusRule", "GRPCRoute"):
        if cluster.try_("get", item["kind"]).returncode:
            return item["kind"]
    gpus = any("nvidia.com/gpu" in str(pod.spec["containers"]) for pod in build.pods())
    nodes = cluster.get("nodes")["items"]
    return "" if not gpus or any("nvidia.com/gpu" in node["status"]["allocatable"] for node in nodes) else "GPU"


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_rolls_out_without_a_warning(rolls, model, name):
    build = model.overlay(name)
    if missing := lacks(rolls, build):
        assert not rolls.own
        pytest.skip(f"the cluster has no {missing}")
    rolls.apply(build.objects)
    rolls.rolled_out()
    # The second time nothing changes.
    before = rolls.generation()
    rolls.apply(build.objects)
    assert rolls.generation() == before


def test_pods_land_on_gpus_and_nowhere_else(own_rolls, model):
    own_rolls.apply(replicas(model.overlay(), 3))
    own_rolls.until("a pod on each GPU", lambda: own_rolls.ready() == ["gpu-1", "gpu-2"])
    own_rolls.until(
        "word that the third found none",
        lambda: any("Insufficient nvidia.com/gpu" in str(pod["status"].get("conditions")) for pod in own_rolls.pods()),
    )
    assert own_rolls.ready() == ["gpu-1", "gpu-2"]


def test_scaling_ends_where_it_should(own_rolls, model):
    own_rolls.apply(model.overlay().objects)
    own_rolls.rolled_out()
    for number in (2, 1):
        own_rolls.run("scale", f"deployment/{own_rolls.name}", f"--replicas={number}")
        own_rolls.until(f"{number} pods", lambda number=number: len(own_rolls.ready()) == number)
    # What scaled it keeps the number: the manifests name none.
    own_rolls.run("scale", f"deployment/{own_rolls.name}", "--replicas=2")
    own_rolls.apply(model.overlay().objects)
    assert own_rolls.get(f"deployment/{own_rolls.name}")["spec"]["replicas"] == 2


def test_with_every_gpu_taken_an_update_needs_the_component_for_it(own_rolls, model):
    own_rolls.apply(replicas(model.overlay(), 2))
    own_rolls.rolled_out()
    own_rolls.apply(replicas(model.overlay(version=2), 2))
    own_rolls.until("a pod that waits for a GPU", lambda: len(own_rolls.pods()) == 3)
    # No request is cut off, but the update waits for a GPU.
    assert len(own_rolls.ready()) == 2
    own_rolls.apply(replicas(model.with_components("no-spare-gpu", version=2), 2))
    own_rolls.rolled_out()
    assert own_rolls.ready() == ["gpu-1", "gpu-2"]


def test_a_version_rolls_out_and_back(own_rolls, model):
    one, two = model.overlay(), model.overlay(version=2)
    own_rolls.apply(one.objects)
    own_rolls.rolled_out()
    first = config_of(own_rolls)
    own_rolls.apply(two.objects)
    own_rolls.rolled_out()
    second = config_of(own_rolls)
    assert "versions: 2" in own_rolls.get("configmap", second)["data"]["models.config"]
    # A GitOps tool deletes what is no longer in the manifests.
    assert prune(own_rolls, two) == {first}
    own_rolls.run("rollout", "undo", f"deployment/{own_rolls.name}")
    own_rolls.rolled_out()
    assert config_of(own_rolls) == first
    # The old file is there still, for the old pods to come back to.
    assert "versions: 1" in own_rolls.get("configmap", first)["data"]["models.config"]
    (pod,) = own_rolls.pods()
    assert f"{model.name}-model:1" in str(pod["spec"])


def test_a_drain_respects_the_budget(own_rolls, model):
    drain = ("drain", "--ignore-daemonsets", "--delete-emptydir-data", "--force")
    own_rolls.apply(replicas(model.overlay(), 2))
    own_rolls.rolled_out()
    own_rolls.run(*drain, "gpu-1", "--timeout=60s")
    own_rolls.until("one pod less", lambda: own_rolls.ready() == ["gpu-2"])
    # One is gone already: the last must stay.
    refused = own_rolls.try_(*drain, "gpu-2", "--timeout=3s")
    assert refused.returncode != 0
    assert "disruption budget" in refused.stderr
    assert own_rolls.ready() == ["gpu-2"]
    own_rolls.run("uncordon", "gpu-1")
    own_rolls.until("both again", lambda: len(own_rolls.ready()) == 2)
    own_rolls.run(*drain, "gpu-2", "--timeout=60s")
    own_rolls.until("one pod, elsewhere", lambda: own_rolls.ready() == ["gpu-1"])
