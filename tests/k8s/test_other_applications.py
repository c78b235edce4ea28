"""A deployment leaves other applications of its namespace alone, and another deployment beside it, too."""

import pytest
import yaml

from k8s.checks import problems
from k8s.manifests import K8S, OVERLAYS, PARTS, Manifests, kustomize, load, overlay, with_components

# Pods that are not ours, with what a foreign application may have of our labels.
_FOREIGN = [
    {"app": "web"},
    {"app.kubernetes.io/name": "pnasnet"},
    {"app.kubernetes.io/name": "pnasnet", "app.kubernetes.io/instance": "another"},
    {"app.kubernetes.io/part-of": "hubserve"},
]
# They are for a namespace that holds nothing else, and say so.
_WHOLE_NAMESPACE = {"namespace", "deny-all"}


def selecting(build: Manifests, labels: dict[str, str]) -> list[str]:
    """Return the objects of a build that select a pod with these labels."""
    found = []
    for item in build.objects:
        spec = item.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector"))
        if selector is not None and item["kind"] != "PersistentVolumeClaim":
            wanted = selector.get("matchLabels", {}) if item["kind"] != "Service" else selector
            if wanted.items() <= labels.items():
                found.append(f"{item['kind']} {item['metadata']['name']}")
    return found


def builds() -> dict[str, Manifests]:
    parts = {name: with_components(name) for name in PARTS if name not in _WHOLE_NAMESPACE}
    return {name: overlay(name) for name in OVERLAYS} | parts


@pytest.mark.parametrize("labels", _FOREIGN, ids=str)
def test_nothing_selects_a_pod_of_another_application(labels):
    assert {name: found for name, build in builds().items() if (found := selecting(build, labels))} == {}


def test_nothing_of_a_build_is_the_namespace():
    assert [name for name, build in builds().items() if build.of("Namespace")] == []


def test_the_whole_namespace_is_asked_for_by_name():
    build = with_components(*sorted(_WHOLE_NAMESPACE))
    assert build.one("Namespace")["metadata"]["name"] == "hubserve"
    assert selecting(build, {"app": "web"}) == ["NetworkPolicy deny-all"]


def another(folder) -> Manifests:
    """The same model a second time, as an overlay that gives it other names and labels."""
    own = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namePrefix": "b-",
        "labels": [{"pairs": {"app.kubernetes.io/instance": "b"}, "includeSelectors": True}],
        "resources": ["base"],
    }
    (folder / "base").symlink_to(K8S / "base")
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    return load(kustomize(folder))


def test_a_second_deployment_in_the_namespace_shares_no_pod(tmp_path):
    first, second = overlay("gpu"), another(tmp_path)
    for one, other in ((first, second), (second, first)):
        ((pod, _),) = other.servers()
        assert selecting(one, pod.labels) == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_server_side_apply_would_take_for_a_change_is_written_out(name):
    """An API server adds a port's protocol, and turns a quantity into text: written out, no two appliers differ."""
    ports = []
    for item in overlay(name).of("Service", "NetworkPolicy", "Deployment"):
        ports += _found(item, "ports")
        quantities = [value for each in _found(item, "requests") + _found(item, "limits") for value in each.values()]
        assert [value for value in quantities if not isinstance(value, str)] == []
    assert ports
    assert [port for port in ports if "protocol" not in port] == []


def _found(item, key: str) -> list:
    """Everything below a key, wherever it is."""
    if isinstance(item, list):
        return [each for value in item for each in _found(value, key)]
    if not isinstance(item, dict):
        return []
    below = [each for name, value in item.items() if name != key for each in _found(value, key)]
    value = item.get(key, [])
    return below + (value if isinstance(value, list) else [value])


def test_the_whole_namespace_is_in_order_too():
    assert problems(with_components(*sorted(_WHOLE_NAMESPACE))) == []
