"""The nodes that a pod may land on, by their labels."""

import pytest

from k8s.manifests import Manifests, overlay, with_components

# As feature discovery labels running nodes, and as an autoscaler sees the node of a pool that is at zero.
_L4 = {"nvidia.com/gpu.product": "NVIDIA-L4", "nvidia.com/gpu.compute.major": "8"}
_T4 = {"nvidia.com/gpu.product": "Tesla-T4", "nvidia.com/gpu.compute.major": "7"}
_H100 = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.compute.major": "9"}
_GKE = {"cloud.google.com/gke-accelerator": "nvidia-l4"}
_EKS = {"karpenter.k8s.aws/instance-gpu-name": "a10g"}
_AKS = {"node.kubernetes.io/instance-type": "Standard_NV36ads_A10_v5"}
_NO_GPU = {"node.kubernetes.io/instance-type": "Standard_D4s_v5"}
_BLACKWELL = [{"nvidia.com/gpu.compute.major": major} for major in ("10", "11", "12")]


def lands(build: Manifests, labels: dict[str, str]) -> bool:
    """Tell whether the server's pod may run on a node with these labels, as far as affinity says."""
    ((pod, _),) = build.servers()
    rules = pod.spec.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    return rules is None or any(
        all(_holds(expression, labels) for expression in term["matchExpressions"])
        for term in rules["nodeSelectorTerms"]
    )


def _holds(expression: dict, labels: dict[str, str]) -> bool:
    inside = labels.get(expression["key"]) in expression["values"]
    return {"In": inside, "NotIn": not inside}[expression["operator"]]


@pytest.mark.parametrize("labels", [_L4, _T4, _H100, _GKE, {}], ids=str)
def test_a_pod_lands_on_every_gpu_that_the_image_has_code_for(labels):
    assert lands(overlay("gpu"), labels)


@pytest.mark.parametrize("labels", _BLACKWELL, ids=str)
@pytest.mark.parametrize("component", ["monitoring", "gpu-shared", "gpu-mig", "gpu-dra", "gpu-node"])
def test_no_pod_lands_on_a_blackwell(component, labels):
    assert not lands(with_components(component), labels)


def test_without_a_gpu_every_node_will_do():
    assert lands(overlay("cpu"), _BLACKWELL[0])


@pytest.mark.parametrize("labels", [_L4, _GKE, _EKS, _AKS], ids=str)
def test_a_pool_at_zero_is_found_by_its_clouds_own_label(labels):
    assert lands(with_components("gpu-node"), labels)


@pytest.mark.parametrize("labels", [_T4, _NO_GPU, {}], ids=str)
def test_another_kind_of_node_is_left_alone(labels):
    assert not lands(with_components("gpu-node"), labels)
