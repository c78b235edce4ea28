"""The ports that `kubectl apply` exposes, and their callers: each row of the table in docs/kubernetes.md."""

import dataclasses
import re
from collections.abc import Callable

import pytest

from k8s.manifests import OVERLAYS, PARTS, ROOT, Manifest, Manifests, Pod, flags, overlay, with_components

_CALLERS = ["hubserve / pnasnet-client=true", "pnasnet-client=true / pnasnet-client=true"]


def labels(selector: Manifest | None) -> str:
    if selector is None:
        return "hubserve"
    return ",".join(f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()) or "all"


def selecting(build: Manifests, kind: str) -> list[Manifest]:
    """The policies for the server's pods that limit this kind of traffic."""
    ((pod, _),) = build.servers()
    specs = [policy["spec"] for policy in build.of("NetworkPolicy")]
    return [
        spec
        for spec in specs
        if kind in spec["policyTypes"] and spec["podSelector"].get("matchLabels", {}).items() <= pod.labels.items()
    ]


def callers(build: Manifests, port: str) -> list[str]:
    """Return the callers that get in at a port: `namespace / pods`, each by its labels."""
    assert selecting(build, "Ingress"), "without a policy all pods do"
    rules = [rule for spec in selecting(build, "Ingress") for rule in spec.get("ingress", [])]
    return sorted(
        f"{labels(peer.get('namespaceSelector'))} / {labels(peer.get('podSelector', {}))}"
        for rule in rules
        if port in [each["port"] for each in rule.get("ports", [{"port": port}])]
        for peer in rule.get("from", [{"namespaceSelector": {}}])
    )


def callers_of(build: Manifests, pod: Pod) -> list[Manifest] | None:
    """The rules that let callers in to a pod; None: no policy selects it, and all callers get in."""
    specs = [policy["spec"] for policy in build.of("NetworkPolicy")]
    mine = [spec for spec in specs if spec["podSelector"].get("matchLabels", {}).items() <= pod.labels.items()]
    return [rule for spec in mine for rule in spec.get("ingress", [])] if mine else None


def egress(build: Manifests) -> list[list]:
    assert selecting(build, "Egress"), "without a policy it may call all pods"
    return [rule.get("to", ["everywhere"]) for spec in selecting(build, "Egress") for rule in spec.get("egress", [])]


def routed(build: Manifests) -> set[str]:
    matches = [match for rule in build.one("GRPCRoute")["spec"]["rules"] for match in rule.get("matches", [{}])]
    return {match.get("method", {}).get("method", "every method") for match in matches}


def ssl_config_asks(build: Manifests) -> bool:
    ((pod, container),) = build.servers()
    scripts = [item["args"][0] for item in pod.spec["initContainers"] if item["name"] == "ssl-config"]
    given = flags(container).get("ssl_config_file")
    return bool(scripts) and "client_verify: true" in scripts[0] and f"> {given}" in scripts[0]


def secrets(build: Manifests) -> set[tuple[str, str]]:
    """Return the Secrets that each container sees."""
    return {
        (container["name"], volume["secret"]["secretName"])
        for pod in build.pods()
        for volume in pod.spec.get("volumes", [])
        for container in pod.containers
        for mount in container.get("volumeMounts", [])
        if "secret" in volume and mount["name"] == volume["name"]
    }


def host(build: Manifests) -> list[str]:
    """Return the parts of their nodes that pods have."""
    return [
        found
        for pod in build.pods()
        for found in re.findall(r"'(hostNetwork|hostPID|hostIPC|hostPort|hostPath|privileged|add)'", str(pod.spec))
    ]


def first_policy(build: Manifests) -> Manifest:
    return build.one("NetworkPolicy", "pnasnet")["spec"]


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table: its claim, a change that would break it, and the components with which it holds."""

    holds: Callable[[Manifests], bool]
    break_it: Callable[[Manifests], object]
    components: tuple[str, ...] = ()


# By the first column of the table.
ROWS: dict[str, Row] = {
    "gRPC, port 8500": Row(
        lambda b: callers(b, "grpc") == _CALLERS,
        lambda b: first_policy(b)["ingress"].append({"ports": [{"port": "grpc", "protocol": "TCP"}]}),
    ),
    "gRPC, with `gateway`": Row(
        lambda b: (
            callers(b, "grpc") == sorted([*_CALLERS, "kubernetes.io/metadata.name=gateway / all"])
            and routed(b) == {"Predict", "GetModelMetadata", "GetModelStatus"}
        ),
        lambda b: b.one("GRPCRoute")["spec"]["rules"][0].pop("matches"),
        ("gateway",),
    ),
    "gRPC, with `mtls`": Row(
        lambda b: callers(b, "grpc") == _CALLERS and ssl_config_asks(b),
        lambda b: next(b.servers())[1]["args"].remove("--ssl_config_file=/tls/ssl.config"),
        ("mtls",),
    ),
    "REST and metrics, port 8501": Row(
        lambda b: callers(b, "http") == [],
        lambda b: first_policy(b)["ingress"][0].pop("ports"),
    ),
    "REST and metrics, with `monitoring`": Row(
        lambda b: callers(b, "http") == ["kubernetes.io/metadata.name=monitoring / all"],
        lambda b: b.one("NetworkPolicy", "pnasnet-monitoring")["spec"]["ingress"][0].pop("from"),
        ("monitoring",),
    ),
    "the profiler": Row(
        lambda b: all(flags(container)["enable_profiler"] == "false" for _, container in b.servers()),
        lambda b: next(b.servers())[1]["args"].append("--enable_profiler=true"),
    ),
    "anything, from outside the cluster": Row(
        lambda b: (
            all(service["spec"].get("type", "ClusterIP") == "ClusterIP" for service in b.of("Service"))
            and not b.of("Ingress", "HTTPRoute", "GRPCRoute")
        ),
        lambda b: b.one("Service", "pnasnet")["spec"].update(type="NodePort"),
    ),
    "what the server may call": Row(
        lambda b: egress(b) == [],
        lambda b: first_policy(b)["policyTypes"].remove("Egress"),
    ),
    "what the server may call, with `model-gcs`": Row(
        lambda b: (
            [str(to) for to in egress(b)]
            == [
                "[{'namespaceSelector': {'matchLabels': {'kubernetes.io/metadata.name': 'kube-system'}}}, "
                "{'ipBlock': {'cidr': '169.254.20.10/32'}}, {'ipBlock': {'cidr': '169.254.169.254/32'}}]",
                "[{'ipBlock': {'cidr': '169.254.169.254/32'}}, {'ipBlock': {'cidr': '169.254.169.252/32'}}]",
                "['everywhere']",
            ]
            and b.one("NetworkPolicy", "pnasnet-gcs")["spec"]["egress"][2].get("ports")
            == [{"port": 443, "protocol": "TCP"}]
        ),
        lambda b: b.one("NetworkPolicy", "pnasnet-gcs")["spec"]["egress"][2].pop("ports"),
        ("model-gcs",),
    ),
    "the Jobs' pods": Row(
        lambda b: all(callers_of(b, pod) == [] for pod in b.pods() if pod.owner["kind"] == "Job"),
        lambda b: b.objects.remove(b.one("NetworkPolicy", "pnasnet-jobs")),
        ("bulk-job", "load-test", "export"),
    ),
    "the Kubernetes API": Row(
        lambda b: (
            all(pod.spec.get("automountServiceAccountToken") is False for pod in b.pods())
            and not b.of("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
        ),
        lambda b: next(b.pods()).spec.pop("automountServiceAccountToken"),
        ("bulk-job", "load-test", "export"),
    ),
    "the node": Row(
        lambda b: (
            host(b) == []
            and b.one("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        ),
        lambda b: next(b.pods()).spec["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
        ("bulk-job", "load-test", "export", "namespace"),
    ),
    "Secrets": Row(
        lambda b: (
            secrets(b)
            == {
                ("ssl-config", "pnasnet-tls"),
                ("wait-for-server", "pnasnet-client-tls"),
                ("classify", "pnasnet-client-tls"),
                ("bench", "pnasnet-client-tls"),
            }
        ),
        lambda b: next(b.servers())[1]["volumeMounts"].append({"name": "secret", "mountPath": "/secret"}),
        ("mtls", "bulk-job", "load-test"),
    ),
}
# A component changes these rows, and has a row of its own.
_CHANGES = {
    "gRPC, port 8500": {"gateway"},
    "REST and metrics, port 8501": {"monitoring", "scale-to-zero"},
    "anything, from outside the cluster": {"gateway"},
    "what the server may call": {"model-gcs"},
}


def build(row: Row) -> Manifests:
    return with_components(*row.components)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_holds(name):
    assert ROWS[name].holds(build(ROWS[name]))


@pytest.mark.parametrize("name", ROWS)
def test_a_row_that_does_not_hold_is_noticed(name):
    broken = build(ROWS[name]).copy()
    ROWS[name].break_it(broken)
    try:
        held = ROWS[name].holds(broken)
    except AssertionError:
        held = False
    assert not held


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row.components])
def test_a_row_without_components_holds_for_every_overlay_and_component_that_has_no_row(name):
    others = set(PARTS) - _CHANGES.get(name, set())
    builds = {f"overlay {each}": overlay(each) for each in OVERLAYS if each != "production"}
    builds |= {each: with_components(each) for each in sorted(others)}
    assert [each for each, built in builds.items() if not ROWS[name].holds(built)] == []


def test_the_table_has_these_rows():
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    section = page.partition("\n## What is exposed, and to whom\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!what \|)([^-|][^|]*) \|", section, re.MULTILINE)
    assert rows == list(ROWS)
