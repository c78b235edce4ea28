"""The number of pods: roll-outs, disruptions, autoscaling, batch Jobs."""

from collections.abc import Iterator

from k8s.manifests import Manifests


def rollout(build: Manifests) -> Iterator[str]:
    """A roll-out goes on, and needs at most one GPU more."""
    for pod, _ in build.servers():
        rolling = pod.owner["spec"].get("strategy", {}).get("rollingUpdate", {})
        surge, unavailable = rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%")
        if not (isinstance(surge, int) and isinstance(unavailable, int)):
            yield f"{pod.name} rolls by percents ({surge}, {unavailable}): say how many GPUs"
        elif surge + unavailable != 1:
            yield f"{pod.name} needs {surge} GPUs to spare for a roll-out, and gives up {unavailable}"


def disruptions(build: Manifests) -> Iterator[str]:
    """The budget protects the servers, and lets nodes be drained."""
    for budget in build.of("PodDisruptionBudget"):
        spec = budget["spec"]
        if spec.get("maxUnavailable") != 1 or "minAvailable" in spec:
            yield "the budget lets every pod go, or keeps nodes from being drained"
        if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield "a pod that never gets ready keeps its node from being drained"


def autoscaling(build: Manifests) -> Iterator[str]:
    """One hand on the number of pods, and a signal that tells how much work there is."""
    for scaled in build.of("ScaledObject"):
        spec = scaled["spec"]
        targets = [
            item for item in build.of("Deployment") if item["metadata"]["name"] == spec["scaleTargetRef"]["name"]
        ]
        if any("replicas" in target["spec"] for target in targets):
            yield "the Deployment sets replicas, which every apply would set back from the autoscaler's"
        # Without a pod no requests are counted: a second trigger must wake the first pod.
        least = 0 if len(spec["triggers"]) > 1 else 1
        if not least <= spec.get("minReplicaCount", 0) <= spec.get("maxReplicaCount", 100):
            yield "the least number of pods is 0, or more than the most"
        if not spec.get("minReplicaCount", 0) <= spec.get("fallback", {}).get("replicas", -1):
            yield "without Prometheus the autoscaler has no number to fall back to"
        for trigger in spec["triggers"]:
            if trigger["type"] != "prometheus":
                yield f"scales on {trigger['type']}: of a GPU server that says nothing"
                continue
            query = trigger["metadata"]["query"]
            if "or vector(0)" not in query or query.count("rate(") != query.count("sum(rate("):
                yield "KEDA takes a query of exactly one element, also before the first request"
            if ":tensorflow:serving:request_count" in query:
                yield "scales on request_count, which has the probes in it"
            if trigger["metadata"].get("ignoreNullValues") != "false":
                yield "a query that finds nothing counts as no load"
    for scaler in build.of("HorizontalPodAutoscaler"):
        if any(
            metric["type"] in ("Resource", "ContainerResource")
            for metric in scaler["spec"].get("metrics", [{"type": "Resource"}])
        ):
            yield f"{scaler['metadata']['name']}: CPU or memory of a GPU server do not tell its load"


def jobs(build: Manifests) -> Iterator[str]:
    """Jobs end; one index of a bulk run does not cost the others theirs, and a drained node costs no try."""
    for job in build.of("Job"):
        spec = job["spec"]
        if spec["template"]["spec"].get("restartPolicy") != "Never":
            yield f"{job['metadata']['name']}: only pods that are not restarted count as tries"
        if spec.get("completionMode") == "Indexed":
            rules = spec.get("podFailurePolicy", {}).get("rules", [])
            if not any(
                rule["action"] == "Ignore" and rule.get("onPodConditions", [{}])[0].get("type") == "DisruptionTarget"
                for rule in rules
            ):
                yield f"{job['metadata']['name']}: a drained node costs a try"
            # hubserve's exit code for it.
            if not any(
                rule["action"] == "FailJob" and rule.get("onExitCodes", {}).get("values") == [2] for rule in rules
            ):
                yield f"{job['metadata']['name']}: wrong usage is retried in every shard"
            if "backoffLimitPerIndex" not in spec:
                yield f"{job['metadata']['name']}: an index that fails stops all"
            if f"$JOB_COMPLETION_INDEX/{spec['completions']}" not in str(spec["template"]):
                yield f"{job['metadata']['name']}: not as many shards as indexes"


CHECKS = (rollout, disruptions, autoscaling, jobs)
