"""The callers that may reach the server, and the path of its metrics."""

from collections.abc import Iterator

from k8s.embedded import PARSERS
from k8s.manifests import Manifests, flags

# The service that reloads models from any path is on the same port (model_service.proto).
_ROUTED = {
    ("tensorflow.serving.PredictionService", "Predict"),
    ("tensorflow.serving.PredictionService", "GetModelMetadata"),
    ("tensorflow.serving.ModelService", "GetModelStatus"),
}


def public(build: Manifests) -> Iterator[str]:
    """Nothing is open to the world, and a route lets three methods through."""
    for service in build.of("Service"):
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"Service {service['metadata']['name']} is open to the world, without a question asked"
    for item in build.of("Ingress", "HTTPRoute"):
        yield f"{item['kind']} {item['metadata']['name']}: REST is for probes and metrics"
    for route in build.of("GRPCRoute"):
        for rule in route["spec"]["rules"]:
            methods = {
                (match.get("method", {}).get("service"), match.get("method", {}).get("method"))
                for match in rule.get("matches", [{}])
            }
            for service, method in methods - _ROUTED:
                yield f"the route lets {service or 'every service'}/{method or '*'} through"


def network(build: Manifests) -> Iterator[str]:
    """Callers are named, the REST port is for Prometheus, and the server calls no other pod."""
    policies = build.of("NetworkPolicy")
    for pod, _ in build.servers():
        mine = [p for p in policies if p["spec"]["podSelector"].get("matchLabels", {}).items() <= pod.labels.items()]
        if {"Ingress", "Egress"} - {kind for policy in mine for kind in policy["spec"]["policyTypes"]}:
            yield f"{pod.name} may be reached by all pods, or reach all"
    for policy in policies:
        for rule in policy["spec"].get("ingress", []):
            if not rule.get("from") or not rule.get("ports"):
                yield f"NetworkPolicy {policy['metadata']['name']} lets all pods in, or in everywhere"
            for peer in rule.get("from", []):
                if peer.get("namespaceSelector") == {} and "podSelector" not in peer:
                    yield f"NetworkPolicy {policy['metadata']['name']} lets every namespace in"
            if "http" in [port["port"] for port in rule.get("ports", [])] and "podSelector" in str(rule["from"]):
                yield f"NetworkPolicy {policy['metadata']['name']} lets callers in to REST"
    wanted = {
        label
        for policy in policies
        for rule in policy["spec"].get("ingress", [])
        for peer in rule.get("from", [])
        for label in peer.get("podSelector", {}).get("matchLabels", {}).items()
    }
    for job in build.of("Job"):
        labels = job["spec"]["template"]["metadata"]["labels"]
        if "dns:///" in str(job["spec"]) and not wanted <= labels.items():
            yield f"Job {job['metadata']['name']} calls the server, and its policy lets it not in"


def metrics(build: Manifests) -> Iterator[str]:
    """Check that TF Serving was told to put its metrics where Prometheus asks for them."""
    for pod, container in build.servers():
        given = flags(container)
        text = build.config(pod, given.get("monitoring_config_file", "/"))
        prometheus = PARSERS["monitoring_config_file"](text or "").prometheus_config
        for monitor in build.of("PodMonitor"):
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                if not prometheus.enable or endpoint.get("path") != prometheus.path:
                    yield f"{pod.name} has no metrics at {endpoint.get('path')}"
                if endpoint.get("port") != "http":
                    yield f"{pod.name}: the metrics are on the REST port, not on {endpoint.get('port')}"


CHECKS = (public, network, metrics)
