"""Each check sees what it is there for: a build that is in order, broken in one place."""

import functools
from collections.abc import Callable

import pytest

from k8s import checks
from k8s.manifests import Manifest, Manifests, Pod, with_components

# Two builds have everything between them: the second is one that speaks TLS, and copies its model.
_WHOLE = (
    "monitoring",
    "autoscaling-keda",
    "gateway",
    "bulk-job",
    "load-test",
    "export",
    "mixed-precision",
    "namespace",
    "deny-all",
)
_TLS = ("mtls", "certificates", "bulk-job", "load-test", "verify-model")


class Broken(Manifests):
    """A copy of a whole build, with short ways to the places where it is broken."""

    @property
    def deployment(self) -> Manifest:
        return self.one("Deployment")["spec"]

    @property
    def pod(self) -> Pod:
        return next(pod for pod in self.pods() if pod.owner["kind"] == "Deployment")

    @property
    def server(self) -> Manifest:
        return self.pod.spec["containers"][0]

    @property
    def gpu_check(self) -> Manifest:
        return next(item for item in self.pod.spec["initContainers"] if item["name"] == "gpu-check")

    @property
    def bulk(self) -> Manifest:
        return self.one("Job", "pnasnet-bulk")["spec"]

    @property
    def caller(self) -> Manifest:
        return self.bulk["template"]["spec"]["containers"][0]

    @property
    def trigger(self) -> Manifest:
        return self.one("ScaledObject")["spec"]["triggers"][0]

    @property
    def match(self) -> Manifest:
        return self.one("GRPCRoute")["spec"]["rules"][0]["matches"][0]["method"]

    def policy(self, name: str = "pnasnet") -> Manifest:
        return self.one("NetworkPolicy", name)["spec"]

    def certificate(self, name: str) -> Manifest:
        return self.one("Certificate", name)["spec"]

    def volume(self, name: str) -> Manifest:
        return next(volume for volume in self.pod.spec["volumes"] if volume["name"] == name)

    def mount(self, name: str) -> Manifest:
        return next(mount for mount in self.server["volumeMounts"] if mount["name"] == name)

    def flag(self, name: str, value: str | None) -> None:
        """Sets a flag of the server's, or takes it away."""
        arguments = [item for item in self.server["args"] if not item.startswith(f"--{name}=")]
        self.server["args"] = arguments if value is None else [*arguments, f"--{name}={value}"]

    def file(self, name: str, old: str, new: str) -> None:
        """Writes something else in a configuration file."""
        name_of_map = self.volume("config")["configMap"]["name"]
        data = self.one("ConfigMap", name_of_map)["data"]
        assert old in data[name]
        data[name] = data[name].replace(old, new)

    def add(self, kind: str) -> None:
        self.objects.append({"kind": kind, "metadata": {"name": "another", "namespace": "hubserve"}, "spec": {}})

    def query(self, old: str, new: str) -> None:
        assert old in self.trigger["metadata"]["query"]
        self.trigger["metadata"]["query"] = self.trigger["metadata"]["query"].replace(old, new)


Break = Callable[[Broken], object]

# By the words that the check then says.
BREAKS: dict[str, Break] = {
    # pods
    "the same host name": lambda b: b.pod.spec.update(hostname="pnasnet"),
    "does not look for its GPU": lambda b: b.pod.spec["initContainers"].remove(b.gpu_check),
    "does not enforce restricted": lambda b: b.one("Namespace")["metadata"]["labels"].clear(),
    "may run as root": lambda b: b.pod.spec["securityContext"].pop("runAsNonRoot"),
    "or as a user of the node": lambda b: b.pod.spec["securityContext"].update(runAsUser=1000),
    "has no seccomp profile": lambda b: b.pod.spec["securityContext"].pop("seccompProfile"),
    "gets a token": lambda b: b.pod.spec.pop("automountServiceAccountToken"),
    "shares the host's": lambda b: b.pod.spec.update(hostNetwork=True),
    "keeps capabilities": lambda b: b.gpu_check["securityContext"].pop("capabilities"),
    "may gain privileges": lambda b: b.server["securityContext"].pop("allowPrivilegeEscalation"),
    "may write to its image": lambda b: b.server["securityContext"].pop("readOnlyRootFilesystem"),
    "lacks a request": lambda b: b.server["resources"]["requests"].pop("memory"),
    "has a CPU limit": lambda b: b.server["resources"]["limits"].update(cpu="4"),
    "requests another number": lambda b: b.server["resources"]["requests"].update({"nvidia.com/gpu": "2"}),
    "which only come whole": lambda b: [
        b.server["resources"][part].update({"nvidia.com/gpu": "500m"}) for part in ("requests", "limits")
    ],
    "GPUs of several kinds": lambda b: b.gpu_check["resources"].update(
        {part: {"nvidia.com/gpu.shared": 1} for part in ("requests", "limits")}
    ),
    "a GPU image without a GPU": lambda b: [
        b.server["resources"][part].pop("nvidia.com/gpu") for part in ("requests", "limits")
    ],
    "floats": lambda b: b.server.update(image="tensorflow/serving:latest-gpu"),
    "is a mount without a volume": lambda b: b.pod.spec["volumes"].pop(),
    "a subPath is never updated": lambda b: b.mount("config").update(subPath="models.config"),
    "may fill the node's disk": lambda b: b.volume("tmp").update(emptyDir={}),
    "no claim is called": lambda b: b.volume("models")["persistentVolumeClaim"].update(claimName="model"),
    "no ConfigMap is called": lambda b: b.volume("config")["configMap"].update(name="pnasnet-config-0000000000"),
    "to which a roll-back returns": lambda b: b.one("ConfigMap", b.volume("config")["configMap"]["name"])[
        "metadata"
    ].pop("annotations"),
    "has no hash": lambda b: [
        b.one("ConfigMap", b.volume("config")["configMap"]["name"])["metadata"].update(name="config"),
        b.volume("config")["configMap"].update(name="config"),
    ],
    # wiring
    "does not select its own pods": lambda b: b.deployment["selector"]["matchLabels"].update(app="pnasnet"),
    "spreads other pods": lambda b: b.pod.spec["topologySpreadConstraints"][0]["labelSelector"].update(
        matchLabels={"app": "pnasnet"}
    ),
    "PodDisruptionBudget pnasnet selects no pod": lambda b: b.one("PodDisruptionBudget")["spec"]["selector"].update(
        matchLabels={"app": "pnasnet"}
    ),
    "selects ['Job']": lambda b: b.one("Service", "pnasnet")["spec"]["selector"].update(
        {"app.kubernetes.io/name": "pnasnet-bulk"}
    ),
    "Deployment pnasnet selects without app.kubernetes.io/instance": lambda b: b.deployment["selector"][
        "matchLabels"
    ].pop("app.kubernetes.io/instance"),
    "Service pnasnet-headless selects without app.kubernetes.io/instance": lambda b: b.one(
        "Service", "pnasnet-headless"
    )["spec"]["selector"].pop("app.kubernetes.io/instance"),
    "PodDisruptionBudget pnasnet selects without app.kubernetes.io/part-of": lambda b: b.one("PodDisruptionBudget")[
        "spec"
    ]["selector"]["matchLabels"].pop("app.kubernetes.io/part-of"),
    "is for pods of other applications": lambda b: b.policy("pnasnet-jobs").update(podSelector={}),
    "has no port rest": lambda b: b.one("Service", "pnasnet")["spec"]["ports"][0].update(targetPort="rest"),
    "listens on other ports": lambda b: b.flag("port", "8501"),
    "the container has no port metrics": lambda b: b.server["readinessProbe"]["httpGet"].update(port="metrics"),
    "which no Service has": lambda b: b.one("GRPCRoute")["spec"]["rules"][0]["backendRefs"][0].update(port=8501),
    "scales a Deployment that is not there": lambda b: b.one("ScaledObject")["spec"]["scaleTargetRef"].update(
        name="resnet"
    ),
    "no ServiceAccount is called": lambda b: b.pod.spec.update(serviceAccountName="default"),
    "no PriorityClass is called": lambda b: b.pod.spec.update(priorityClassName="high"),
    "which no Service is": lambda b: b.one("Job", "pnasnet-load-test")["spec"]["template"]["spec"]["containers"][
        0
    ].update(args=["bench", "--server", "dns:///pnasnet:8501"]),
    "is in the namespace None": lambda b: b.one("PodMonitor")["metadata"].pop("namespace"),
    "it would find nothing": lambda b: b.query('namespace="hubserve"', 'namespace="default"'),
    # serving
    "a shell that passes no signal on": lambda b: b.server.pop("command"),
    "no flag --enable_batch in": lambda b: b.flag("enable_batch", "true"),
    "no flag --enable_grpc_healthcheck_service in": lambda b: b.server.update(image="tensorflow/serving:2.6.2-gpu"),
    "is not --flag=value": lambda b: b.server["args"].append("--enable_batching true"),
    "neither true nor false": lambda b: b.flag("enable_batching", "yes"),
    "has no value": lambda b: b.flag("grpc_channel_arguments", "grpc.max_connection_age_ms=30000,so_reuseport"),
    "before it says so": lambda b: b.flag("max_num_load_retries", None),
    "offers its profiler": lambda b: b.flag("enable_profiler", None),
    "batching parameters without batching": lambda b: b.flag("enable_batching", "false"),
    "has fewer threads": lambda b: b.flag("grpc_max_threads", "128"),
    "which no ConfigMap brings": lambda b: b.flag("monitoring_config_file", "/etc/tfserving/metrics.config"),
    "is not what --batching_parameters_file takes": lambda b: b.file("batching.config", "{ value: 2 }", ": 2"),
    "is not what --tensorflow_session_config_file takes": lambda b: b.file("session.pbtxt", "ON_1", "ON_3"),
    "is in no volume": lambda b: b.file("models.config", '"/models/', '"/srv/models/'),
    "may write to its models": lambda b: b.mount("models").pop("readOnly"),
    "reads no s3": lambda b: b.file("models.config", '"/models/', '"s3://models/'),
    "in a folder called": lambda b: b.file("models.config", 'name: "pnasnet"', 'name: "resnet"'),
    "takes any version": lambda b: b.file("models.config", "specific { versions: 1 }", "latest { num_versions: 1 }"),
    "labels for versions that are not loaded": lambda b: b.file(
        "models.config", "model_version_policy", 'version_labels { key: "stable" value: 1 } model_version_policy'
    ),
    "a label names a version that is not": lambda b: b.file(
        "models.config", "model_version_policy", 'version_labels { key: "stable" value: 2 } model_version_policy'
    ),
    "decodes at once (all CPUs)": lambda b: b.flag("tensorflow_inter_op_parallelism", None),
    "decodes at once (16)": lambda b: b.flag("tensorflow_inter_op_parallelism", "16"),
    "not by both": lambda b: b.flag("xla_gpu_compilation_enabled", None),
    "readinessProbe does not ask": lambda b: b.server["readinessProbe"]["httpGet"].update(path="/v1/models/pnasnet"),
    "startupProbe does not ask": lambda b: b.server.update(startupProbe={"tcpSocket": {"port": "grpc"}}),
    "s to start": lambda b: b.server["startupProbe"].update(failureThreshold=30),
    "reported as failed": lambda b: b.deployment.pop("progressDeadlineSeconds"),
    "a program that the image may not have": lambda b: b.server.update(livenessProbe={"exec": {"command": ["curl"]}}),
    "restarts a server whose model": lambda b: b.server.update(livenessProbe=b.server["readinessProbe"]),
    "asks a service that is not there": lambda b: b.flag("enable_grpc_healthcheck_service", None),
    "does not speak TLS": lambda b: b.flag("ssl_config_file", "/tls/ssl.config"),
    "restarted within a minute": lambda b: b.server["livenessProbe"].update(failureThreshold=3),
    "is killed 30 s into": lambda b: b.pod.spec.pop("terminationGracePeriodSeconds"),
    "ignores SIGTERM": lambda b: b.pod.spec.pop("shareProcessNamespace"),
    "or has no drain": lambda b: b.server.pop("lifecycle"),
    "before its callers' connections": lambda b: b.flag("grpc_channel_arguments", None),
    # scaling
    "rolls by percents": lambda b: b.deployment["strategy"]["rollingUpdate"].update(maxSurge="100%"),
    "to spare for a roll-out": lambda b: b.deployment["strategy"]["rollingUpdate"].update(maxSurge=0),
    "lets every pod go": lambda b: b.one("PodDisruptionBudget")["spec"].update(minAvailable=0),
    "keeps its node from being drained": lambda b: b.one("PodDisruptionBudget")["spec"].pop(
        "unhealthyPodEvictionPolicy"
    ),
    "which every apply would set back": lambda b: b.deployment.update(replicas=2),
    "more than the most": lambda b: b.one("ScaledObject")["spec"].update(minReplicaCount=8),
    "no number to fall back to": lambda b: b.one("ScaledObject")["spec"].pop("fallback"),
    "scales on cpu": lambda b: b.trigger.update(type="cpu"),
    "exactly one element": lambda b: b.query("sum(", "("),
    "also before the first request": lambda b: b.query("or vector(0)", ""),
    "which has the probes in it": lambda b: b.query("request_latency_sum", "request_count"),
    "counts as no load": lambda b: b.trigger["metadata"].pop("ignoreNullValues"),
    "do not tell its load": lambda b: b.add("HorizontalPodAutoscaler"),
    "not restarted count as tries": lambda b: b.bulk["template"]["spec"].update(restartPolicy="OnFailure"),
    "a drained node costs a try": lambda b: b.bulk["podFailurePolicy"]["rules"].pop(0),
    "wrong usage is retried": lambda b: b.bulk["podFailurePolicy"]["rules"][1]["onExitCodes"].update(values=[3]),
    "an index that fails stops all": lambda b: b.bulk.pop("backoffLimitPerIndex"),
    "not as many shards as indexes": lambda b: b.bulk.update(completions=16),
    # exposure
    "is open to the world": lambda b: b.one("Service", "pnasnet")["spec"].update(type="LoadBalancer"),
    "REST is for probes": lambda b: b.add("HTTPRoute"),
    "the route lets tensorflow.serving.ModelService/HandleReloadConfigRequest": lambda b: b.match.update(
        service="tensorflow.serving.ModelService", method="HandleReloadConfigRequest"
    ),
    "the route lets tensorflow.serving.PredictionService/*": lambda b: b.match.pop("method"),
    "may be reached by all pods": lambda b: b.policy()["policyTypes"].remove("Egress"),
    "lets all pods in": lambda b: b.policy()["ingress"][0].pop("from"),
    "lets every namespace in": lambda b: b.policy()["ingress"][0].update({"from": [{"namespaceSelector": {}}]}),
    "lets callers in to REST": lambda b: b.policy()["ingress"][0].update(ports=[{"port": "http", "protocol": "TCP"}]),
    "its policy lets it not in": lambda b: b.bulk["template"]["metadata"]["labels"].pop("pnasnet-client"),
    "has no metrics at /metrics": lambda b: b.one("PodMonitor")["spec"]["podMetricsEndpoints"][0].update(
        path="/metrics"
    ),
    "has no metrics at /monitoring": lambda b: b.file("monitoring.config", "enable: true", "enable: false"),
    "not on grpc": lambda b: b.one("PodMonitor")["spec"]["podMetricsEndpoints"][0].update(port="grpc"),
}


TLS_BREAKS: dict[str, Break] = {
    "do not agree on TLS": lambda b: b.caller.pop("envFrom"),
    "Job pnasnet-bulk and the server do not agree": lambda b: b.server["args"].remove(
        "--ssl_config_file=/tls/ssl.config"
    ),
    "which no Secret brings": lambda b: b.caller["volumeMounts"][2].update(mountPath="/etc/tls"),
    "has no issuer": lambda b: b.certificate("pnasnet-tls")["issuerRef"].update(name="letsencrypt"),
    "has no authority's certificate": lambda b: b.certificate("pnasnet-authority").pop("isCA"),
    "is for both ends": lambda b: b.certificate("pnasnet-client-tls")["usages"].append("server auth"),
    "no certificate for client auth goes into": lambda b: b.certificate("pnasnet-client-tls").update(
        secretName="client"
    ),
    "no certificate for server auth goes into": lambda b: b.certificate("pnasnet-tls").update(usages=["client auth"]),
    "is for other names than": lambda b: b.certificate("pnasnet-tls")["dnsNames"].remove("pnasnet-headless"),
    "no container fills models": lambda b: b.pod.spec["initContainers"].pop(-2),
    "verifies a model that is not there yet": lambda b: b.pod.spec["initContainers"].reverse(),
}


@functools.cache
def whole(*names: str) -> Manifests:
    build = with_components(*names)
    assert checks.problems(build) == []
    return build


def said(build: Manifests, change: Break) -> list[str]:
    broken = Broken(build.copy().objects)
    change(broken)
    return checks.problems(broken)


@pytest.mark.parametrize("words", BREAKS)
def test_a_break_is_seen(words):
    lines = said(whole(*_WHOLE), BREAKS[words])
    assert any(words in line for line in lines), lines


@pytest.mark.parametrize("words", TLS_BREAKS)
def test_a_break_of_tls_is_seen(words):
    lines = said(whole(*_TLS), TLS_BREAKS[words])
    assert any(words in line for line in lines), lines
