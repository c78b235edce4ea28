"""The bulk Job on real Job and Pod controllers; the test plays the kubelet, and decides how each pod ends."""

import json
from typing import Any

import pytest

from k8s.cluster.build import HANDS_OFF
from k8s.cluster.kubectl import Cluster
from k8s.generated import generated
from k8s.manifests import Manifest, with_components

_INDEX = "batch.kubernetes.io/job-completion-index"


def volume(name: str) -> list[Manifest]:
    size, modes = {"storage": "1Gi"}, ["ReadWriteMany"]
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {"capacity": size, "accessModes": modes, "hostPath": {"path": f"/{name}"}},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "hubserve"},
            "spec": {"resources": {"requests": size}, "accessModes": modes, "storageClassName": "", "volumeName": name},
        },
    ]


@pytest.fixture(params=["pnasnet", "cats-dogs"])
def job(own_cluster: Cluster, request: pytest.FixtureRequest) -> Cluster:
    """A cluster with a model's bulk Job, whose pods do not run yet."""
    name = request.param
    build = (with_components("bulk-job") if name == "pnasnet" else generated(name, "bulk-job")).copy()
    spec = build.one("Job")["spec"]
    spec["template"]["metadata"]["labels"][HANDS_OFF] = "true"
    # The controller waits 10 s before the second try of an index, and twice as long before each more.
    spec["backoffLimitPerIndex"] = 1
    own_cluster.run("delete", "pv", "--all", "--ignore-not-found")
    own_cluster.apply([*build.objects, *volume("images"), *volume("results")])
    return own_cluster.at(own_cluster.namespace, name)


def end(cluster: Cluster, pod: Manifest, code: int, *, disrupted: bool = False) -> None:
    """Ends a pod as a kubelet would report it; a disrupted one as the eviction that ended it."""
    state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
    container = {"name": "classify", "state": state, "ready": False, "restartCount": 0, "image": "i", "imageID": "i"}
    status: dict[str, Any] = {"phase": "Failed" if code else "Succeeded", "containerStatuses": [container]}
    if disrupted:
        condition = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        status["conditions"] = [*pod["status"].get("conditions", []), condition]
    patch = json.dumps({"status": status})
    done = cluster.try_("patch", "pod", pod["metadata"]["name"], "--subresource=status", "--type=merge", "-p", patch)
    # A Job that has failed deletes its other pods, also between the list and this.
    assert done.returncode == 0 or "NotFound" in done.stderr, done.stderr


def play(cluster: Cluster, how) -> dict[str, Any]:
    """Ends pods as `how(index, try)` says, until the Job ends; gives its status. `how` gives an exit code, or None for
    a pod that is evicted."""
    tries: dict[int, int] = {}
    ended: set[str] = set()

    def round_() -> bool:
        for pod in cluster.pods(f"{cluster.name}-bulk"):
            name = pod["metadata"]["name"]
            if name not in ended and pod["status"]["phase"] == "Pending" and "nodeName" in pod["spec"]:
                index = int(pod["metadata"]["annotations"][_INDEX])
                tries[index] = tries.get(index, 0) + 1
                code = how(index, tries[index])
                end(cluster, pod, 137 if code is None else code, disrupted=code is None)
                ended.add(name)
        conditions = cluster.get(f"job/{cluster.name}-bulk")["status"].get("conditions", [])
        return any(item["type"] in ("Complete", "Failed") and item["status"] == "True" for item in conditions)

    cluster.until("the end of the Job", round_)
    return {**cluster.get(f"job/{cluster.name}-bulk")["status"], "tries": tries}


def conditions(status: dict[str, Any]) -> set[str]:
    return {item["type"] for item in status["conditions"] if item["status"] == "True"}


def test_all_indexes_run_and_one_that_fails_is_tried_again(job):
    status = play(job, lambda index, number: 1 if index == 3 and number == 1 else 0)
    assert "Complete" in conditions(status)
    assert status["completedIndexes"] == "0-7"
    assert status["tries"][3] == 2


def test_an_index_that_never_succeeds_does_not_stop_the_others(job):
    status = play(job, lambda index, _: 1 if index == 5 else 0)
    assert "Failed" in conditions(status)
    assert status["failedIndexes"] == "5"
    assert status["completedIndexes"] == "0-4,6,7"
    assert status["tries"][5] == 2


def test_wrong_usage_stops_all_at_once(job):
    status = play(job, lambda index, _: 2)
    assert "Failed" in conditions(status)
    assert "PodFailurePolicy" in str(status["conditions"])
    assert max(status["tries"].values()) == 1


def test_a_drained_node_costs_no_try(job):
    # More evictions than an index has tries.
    status = play(job, lambda index, number: None if index == 0 and number <= 2 else 0)
    assert "Complete" in conditions(status)
    assert status["tries"][0] == 3
