"""Every overlay on a real control plane: taken without a warning, placed on GPUs, rolled out, drained, rolled back."""

import pytest

from k8s.cluster.kubectl import Cluster
from k8s.manifests import OVERLAYS, Manifests, overlay, with_components


def replicas(build: Manifests, number: int) -> list[dict]:
    changed = build.copy()
    changed.one("Deployment")["spec"]["replicas"] = number
    return changed.objects


def version(build: Manifests, number: int) -> Manifests:
    """What a reader's two edits give: another tag of the model's image, and another version in models.config.

    kustomize would give the ConfigMap another name, by its hash; so it has one here.
    """
    changed = build.copy()
    config = next(item for item in changed.of("ConfigMap") if "models.config" in item["data"])
    before = config["metadata"]["name"]
    config["metadata"]["name"] = f"{before[:-10]}{number:010}"
    config["data"]["models.config"] = config["data"]["models.config"].replace("versions: 1", f"versions: {number}")
    spec = changed.one("Deployment")["spec"]["template"]["spec"]
    (volume,) = (item for item in spec["volumes"] if item["name"] == "config")
    volume["configMap"]["name"] = config["metadata"]["name"]
    (model,) = (item for item in spec["initContainers"] if item["name"] == "model")
    model["image"] = f"pnasnet-model:{number}"
    return changed


def config_of(cluster: Cluster) -> str:
    (volume,) = (
        item
        for item in cluster.get("deployment/pnasnet")["spec"]["template"]["spec"]["volumes"]
        if item["name"] == "config"
    )
    return volume["configMap"]["name"]


def lacks(cluster: Cluster, build: Manifests) -> str:
    """What a cluster of somebody's has not got that the build needs."""
    for item in build.of("ScaledObject", "PodMonitor", "PrometheusRule", "GRPCRoute"):
        if cluster.try_("get", item["kind"]).returncode:
            return item["kind"]
    gpus = any("nvidia.com/gpu" in str(pod.spec["containers"]) for pod in build.pods())
    nodes = cluster.get("nodes")["items"]
    return "" if not gpus or any("nvidia.com/gpu" in node["status"]["allocatable"] for node in nodes) else "GPU"


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_rolls_out_without_a_warning(cluster, name):
    if missing := lacks(cluster, overlay(name)):
        assert not cluster.own
        pytest.skip(f"the cluster has no {missing}")
    cluster.apply(overlay(name).objects)
    cluster.rolled_out()
    # The second time nothing changes.
    before = cluster.get("deployment/pnasnet")["metadata"]["generation"]
    cluster.apply(overlay(name).objects)
    assert cluster.get("deployment/pnasnet")["metadata"]["generation"] == before


def test_pods_land_on_gpus_and_nowhere_else(own_cluster):
    own_cluster.apply(replicas(overlay("gpu"), 3))
    own_cluster.until("a pod on each GPU", lambda: own_cluster.ready() == ["gpu-1", "gpu-2"])
    own_cluster.until(
        "word that the third found none",
        lambda: any(
            "Insufficient nvidia.com/gpu" in str(pod["status"].get("conditions")) for pod in own_cluster.pods()
        ),
    )
    assert own_cluster.ready() == ["gpu-1", "gpu-2"]


def test_scaling_ends_where_it_should(own_cluster):
    own_cluster.apply(overlay("gpu").objects)
    own_cluster.rolled_out()
    for number in (2, 1):
        own_cluster.run("scale", "deployment/pnasnet", f"--replicas={number}")
        own_cluster.until(f"{number} pods", lambda number=number: len(own_cluster.ready()) == number)
    # What scaled it keeps the number: the manifests name none.
    own_cluster.run("scale", "deployment/pnasnet", "--replicas=2")
    own_cluster.apply(overlay("gpu").objects)
    assert own_cluster.get("deployment/pnasnet")["spec"]["replicas"] == 2


def test_with_every_gpu_taken_an_update_needs_the_component_for_it(own_cluster):
    own_cluster.apply(replicas(overlay("gpu"), 2))
    own_cluster.rolled_out()
    own_cluster.apply(replicas(version(overlay("gpu"), 2), 2))
    own_cluster.until("a pod that waits for a GPU", lambda: len(own_cluster.pods()) == 3)
    # Nobody is cut off, but the update waits for a GPU.
    assert len(own_cluster.ready()) == 2
    own_cluster.apply(replicas(version(with_components("no-spare-gpu"), 2), 2))
    own_cluster.rolled_out()
    assert own_cluster.ready() == ["gpu-1", "gpu-2"]


def test_a_version_rolls_out_and_back(own_cluster):
    one, two = version(overlay("gpu"), 1), version(overlay("gpu"), 2)
    own_cluster.apply(one.objects)
    own_cluster.rolled_out()
    first = config_of(own_cluster)
    own_cluster.apply(two.objects)
    own_cluster.rolled_out()
    second = config_of(own_cluster)
    assert "versions: 2" in own_cluster.get("configmap", second)["data"]["models.config"]
    own_cluster.run("rollout", "undo", "deployment/pnasnet")
    own_cluster.rolled_out()
    assert config_of(own_cluster) == first
    # The old file is there still, for the old pods to come back to.
    assert "versions: 1" in own_cluster.get("configmap", first)["data"]["models.config"]
    (pod,) = own_cluster.pods()
    assert "pnasnet-model:1" in str(pod["spec"])


def test_a_drain_respects_the_budget(own_cluster):
    drain = ("drain", "--ignore-daemonsets", "--delete-emptydir-data", "--force")
    own_cluster.apply(replicas(overlay("gpu"), 2))
    own_cluster.rolled_out()
    own_cluster.run(*drain, "gpu-1", "--timeout=60s")
    own_cluster.until("one pod less", lambda: own_cluster.ready() == ["gpu-2"])
    # One is gone already: the last must stay.
    refused = own_cluster.try_(*drain, "gpu-2", "--timeout=3s")
    assert refused.returncode != 0
    assert "disruption budget" in refused.stderr
    assert own_cluster.ready() == ["gpu-2"]
    own_cluster.run("uncordon", "gpu-1")
    own_cluster.until("both again", lambda: len(own_cluster.ready()) == 2)
    own_cluster.run(*drain, "gpu-2", "--timeout=60s")
    own_cluster.until("one pod, elsewhere", lambda: own_cluster.ready() == ["gpu-1"])
