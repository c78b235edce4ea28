"""Every component before a real API server, with Pod Security "restricted" enforced."""

import copy
from collections.abc import Iterator

import pytest

from k8s.cluster.kubectl import Cluster
from k8s.generated import generated, offered
from k8s.manifests import PARTS, Manifest, Manifests, overlay, with_components
from k8s.models import MODELS

_DRY = ("--dry-run=server", "-f", "-")


@pytest.fixture(scope="module")
def namespace(running_cluster: Cluster) -> Iterator[Cluster]:
    """A cluster with our namespace, and nothing in it but the accounts and the classes that the pods name."""
    if not running_cluster.own:
        pytest.skip("needs the custom resources of every component")
    running_cluster.clean()
    for name in MODELS:
        needed = generated(name, "namespace", "priority")
        running_cluster.apply(needed.of("Namespace", "ServiceAccount", "PriorityClass"))
    yield running_cluster
    running_cluster.clean()


def pods(build: Manifests) -> list[Manifest]:
    """The pods themselves: Pod Security judges these, and only warns of what makes them."""
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{number}"}, "spec": copy.deepcopy(pod.spec)}
        for number, pod in enumerate(build.pods())
    ]


@pytest.mark.parametrize(
    ("model", "name"), [(model, name) for model in MODELS for name in PARTS if offered(model, name)]
)
def test_a_component_is_taken_without_a_warning_and_its_pods_are_admitted(namespace, model, name):
    build = with_components(name) if model == "pnasnet" else generated(model, name)
    namespace.run("apply", "--server-side", "--warnings-as-errors", *_DRY, objects=build.objects)
    namespace.run("create", *_DRY, objects=pods(build))


def test_a_pod_that_is_not_restricted_is_refused(namespace):
    (pod,) = pods(overlay("gpu"))
    pod["spec"]["containers"][0]["securityContext"].pop("capabilities")
    refused = namespace.try_("create", *_DRY, objects=[pod])
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr


def test_what_would_be_refused_is_warned_of_when_it_is_applied(namespace):
    deployment = copy.deepcopy(overlay("gpu").one("Deployment"))
    deployment["spec"]["template"]["spec"].pop("securityContext")
    warned = namespace.try_("apply", "--server-side", "--warnings-as-errors", *_DRY, objects=[deployment])
    assert warned.returncode != 0
    assert "would violate PodSecurity" in warned.stderr
