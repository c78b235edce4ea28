"""References between objects: labels, ports, names, namespaces."""

import re
from collections.abc import Iterator
from typing import Any

from k8s import kserve
from k8s.manifests import Manifest, Manifests, Pod

_NAME, _INSTANCE, _PART_OF = (f"app.kubernetes.io/{label}" for label in ("name", "instance", "part-of"))
_OURS = {_NAME, _INSTANCE, _PART_OF}
_CLUSTER_SCOPED = {"Namespace", "PriorityClass"}


def _selectors(build: Manifests) -> Iterator[tuple[Manifest, Any]]:
    for item in build.of("Service"):
        yield item, item["spec"].get("selector")
    for item in build.of("PodDisruptionBudget", "PodMonitor"):
        yield item, item["spec"]["selector"].get("matchLabels")
    for item in build.of("NetworkPolicy"):
        # A policy that lets no traffic in or out may be for Jobs too.
        if item["spec"].get("ingress") or item["spec"].get("egress"):
            yield item, item["spec"]["podSelector"].get("matchLabels")


def _selected(build: Manifests, labels: dict[str, str] | None) -> list[Pod]:
    return [pod for pod in build.pods() if labels and labels.items() <= pod.labels.items()]


def _ports(pod: Pod) -> dict[str, int]:
    return {
        port["name"]: port["containerPort"]
        for container in pod.spec["containers"]
        for port in container.get("ports", [])
    }


def selectors(build: Manifests) -> Iterator[str]:
    """Whatever selects pods selects the server's, and no others."""
    for pod in build.pods():
        if pod.owner["kind"] == "Deployment" and not _selected(build, pod.owner["spec"]["selector"]["matchLabels"]):
            yield f"{pod.name} does not select its own pods"
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            if not constraint["labelSelector"]["matchLabels"].items() <= pod.labels.items():
                yield f"{pod.name} spreads other pods than its own"
    for item, labels in _selectors(build):
        kinds = {pod.owner["kind"] for pod in _selected(build, labels)}
        if kinds != {"Deployment"}:
            yield f"{item['kind']} {item['metadata']['name']} selects {sorted(kinds) or 'no pod'}"


def isolation(build: Manifests) -> Iterator[str]:
    """Nothing selects the pods of another model, or of another application."""
    for item, labels in _selectors(build):
        if missing := _OURS - set(labels or {}):
            yield f"{item['kind']} {item['metadata']['name']} selects without {', '.join(sorted(missing))}"
    for item in build.of("Deployment"):
        missing = _OURS - set(item["spec"]["selector"]["matchLabels"])
        if missing and not kserve.made(item):
            yield f"Deployment {item['metadata']['name']} selects without {', '.join(sorted(missing))}"
    for item in build.of("NetworkPolicy"):
        labels = item["spec"]["podSelector"].get("matchLabels", {})
        if item["metadata"]["name"] != "deny-all" and not {_INSTANCE, _PART_OF} <= set(labels):
            yield f"NetworkPolicy {item['metadata']['name']} is for pods of other applications too"


def ports(build: Manifests) -> Iterator[str]:
    """A port that is named is one that a container has, and that the server listens on."""
    for item, labels in _selectors(build):
        where = f"{item['kind']} {item['metadata']['name']}"
        spec = item["spec"]
        wanted = [port.get("targetPort", port["port"]) for port in spec.get("ports", []) if item["kind"] == "Service"]
        wanted += [endpoint["port"] for endpoint in spec.get("podMetricsEndpoints", [])]
        wanted += [port["port"] for rule in spec.get("ingress", []) for port in rule.get("ports", [])]
        for pod in _selected(build, labels):
            for port in wanted:
                if port not in {*_ports(pod), *_ports(pod).values()}:
                    yield f"{where}: {pod.name} has no port {port}"
    for pod, container in build.servers():
        own = _ports(pod)
        arguments = set(container["args"])
        if not {f"--port={own.get('grpc')}", f"--rest_api_port={own.get('http')}"} <= arguments:
            yield f"{pod.name}: the server listens on other ports than the container names"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for handler in container.get(probe, {}).values():
                if isinstance(handler, dict) and handler.get("port") not in {*own, *own.values()}:
                    yield f"{pod.name} {probe}: the container has no port {handler.get('port')}"


def references(build: Manifests) -> Iterator[str]:
    """Names of Services, Deployments, accounts and classes are names of objects."""
    names = {(item["kind"], item["metadata"]["name"]) for item in build.objects}
    for route in build.of("GRPCRoute"):
        for backend in (backend for rule in route["spec"]["rules"] for backend in rule["backendRefs"]):
            services = [item for item in build.of("Service") if item["metadata"]["name"] == backend["name"]]
            if not any(port["port"] == backend["port"] for item in services for port in item["spec"]["ports"]):
                yield f"the route leads to {backend['name']}:{backend['port']}, which no Service has"
    for scaled in build.of("ScaledObject"):
        if ("Deployment", scaled["spec"]["scaleTargetRef"]["name"]) not in names:
            yield "the autoscaler scales a Deployment that is not there"
    for pod in build.pods():
        for kind, name in (
            ("ServiceAccount", pod.spec.get("serviceAccountName")),
            ("PriorityClass", pod.spec.get("priorityClassName")),
        ):
            if name and (kind, name) not in names:
                yield f"{pod.name}: no {kind} is called {name}"
        for target in re.findall(r"dns:///([a-z-]+):(\d+)", str(pod.spec)):
            if ("Service", target[0]) not in names or target[1] != "8500":
                yield f"{pod.name} calls {':'.join(target)}, which no Service is"


def namespaces(build: Manifests) -> Iterator[str]:
    """Everything is in the one namespace, and the queries that name a namespace name that."""
    (deployment,) = build.of("Deployment")
    namespace = deployment["metadata"].get("namespace")
    for item in build.objects:
        own = item["metadata"]["name"] if item["kind"] == "Namespace" else item["metadata"].get("namespace")
        if item["kind"] not in _CLUSTER_SCOPED - {"Namespace"} and own != namespace:
            yield f"{item['kind']} {item['metadata']['name']} is in the namespace {own}"
    for item in build.of("ScaledObject", "PrometheusRule"):
        for literal in re.findall(r'namespace="([^"]*)"', str(item["spec"])):
            if literal != namespace:
                yield f"a query of {item['kind']} asks for the namespace {literal}: it would find nothing"


CHECKS = (selectors, isolation, ports, references, namespaces)
