"""Pods by themselves: security, resources, images, volumes."""

import re
from collections.abc import Iterator

from k8s.manifests import Manifests

# Argo CD and Flux keep what has these annotations, also when it is no longer in the manifests.
_KEPT = {"argocd.argoproj.io/sync-options": "Prune=false", "kustomize.toolkit.fluxcd.io/prune": "disabled"}
_HASHED = re.compile(r".+-[a-z0-9]{10}")


def restricted(build: Manifests) -> Iterator[str]:
    """Pod Security's level "restricted", enforced, and beyond it: no token, and nothing written to the image."""
    for namespace in build.of("Namespace"):
        if namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield "the namespace does not enforce restricted"
    for pod in build.pods():
        context = pod.spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or context.get("runAsUser", 0) < 10000:
            yield f"{pod.name} may run as root, or as a user of the node"
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod.name} has no seccomp profile"
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.name} gets a token for the API"
        if any(pod.spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{pod.name} shares the host's namespaces"
        if "hostname" in pod.spec:
            yield f"{pod.name} gives every replica the same host name"
        for container in pod.containers:
            own = container.get("securityContext", {})
            if own.get("capabilities", {}).get("drop") != ["ALL"] or own.get("capabilities", {}).get("add"):
                yield f"{pod.name} {container['name']} keeps capabilities"
            if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
                yield f"{pod.name} {container['name']} may gain privileges"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{pod.name} {container['name']} may write to its image"


def resources(build: Manifests) -> Iterator[str]:
    """Check that each container names its resources; a GPU is whole, of one kind, and as much requested as allowed."""
    for pod in build.pods():
        kinds = set()
        for container in pod.containers:
            where = f"{pod.name} {container['name']}"
            requests = container.get("resources", {}).get("requests", {})
            limits = container.get("resources", {}).get("limits", {})
            if not {"cpu", "memory"} <= set(requests) or "memory" not in limits:
                yield f"{where} lacks a request of CPU or memory, or a limit of memory"
            if "cpu" in limits:
                yield f"{where} has a CPU limit, which throttles decoding"
            gpus = {key for key in {*requests, *limits} if key.startswith("nvidia.com/")}
            kinds |= gpus
            for gpu in gpus:
                if requests.get(gpu) != limits.get(gpu):
                    yield f"{where} requests another number of {gpu} than its limit"
                if not re.fullmatch(r"[1-9]\d*", str(limits.get(gpu))):
                    yield f"{where} asks for {limits.get(gpu)} of {gpu}, which only come whole"
        if len(kinds) > 1:
            yield f"{pod.name} asks for GPUs of several kinds: {sorted(kinds)}"
        for container in pod.containers:
            own = container.get("resources", {})
            if ("-gpu" in container["image"]) != bool(
                own.get("claims") or any(key.startswith("nvidia.com/") for key in own.get("limits", {}))
            ):
                yield f"{pod.name} {container['name']}: a GPU image without a GPU, or a GPU without one"


def images(build: Manifests) -> Iterator[str]:
    """Every image is one version."""
    for pod in build.pods():
        for container in pod.containers:
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            if tag in ("", "latest", "latest-gpu", "nightly", "nightly-gpu"):
                yield f"{pod.name} {container['name']}: the image {container['image']} floats"


def volumes(build: Manifests) -> Iterator[str]:
    """Mounts have volumes and volumes mounts; files of a ConfigMap change with a roll-out, never under a server."""
    claims = {item["metadata"]["name"] for item in build.of("PersistentVolumeClaim")}
    maps = {item["metadata"]["name"]: item["metadata"].get("annotations", {}) for item in build.of("ConfigMap")}
    # The bulk Job reads and writes volumes of the reader's.
    claims |= {"images", "results"}
    for pod in build.pods():
        declared = {volume["name"]: volume for volume in pod.spec.get("volumes", [])}
        mounts = [(container, mount) for container in pod.containers for mount in container.get("volumeMounts", [])]
        mounted = {mount["name"] for _, mount in mounts}
        for name in mounted ^ set(declared):
            yield f"{pod.name}: {name} is a mount without a volume, or a volume without a mount"
        for container, mount in mounts:
            if "subPath" in mount:
                yield f"{pod.name} {container['name']}: a subPath is never updated"
        for name, volume in declared.items():
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{pod.name}: the emptyDir {name} may fill the node's disk"
            if "persistentVolumeClaim" in volume and volume["persistentVolumeClaim"]["claimName"] not in claims:
                yield f"{pod.name}: no claim is called {volume['persistentVolumeClaim']['claimName']}"
            if "configMap" in volume and not volume["configMap"].get("optional"):
                source = volume["configMap"]["name"]
                if source not in maps:
                    yield f"{pod.name}: no ConfigMap is called {source}"
                elif not _KEPT.items() <= maps[source].items():
                    yield f"{pod.name}: a GitOps tool prunes {source}, to which a roll-back returns"
                if not _HASHED.fullmatch(source):
                    yield f"{pod.name}: a change of the ConfigMap {source} rolls nothing, for its name has no hash"


def gpus(build: Manifests) -> Iterator[str]:
    """A pod with a GPU looks for it before it serves: TF Serving would serve on the CPU, and say so in its log only."""
    for pod, container in build.servers():
        wanted = {key for key in container["resources"]["limits"] if key.startswith("nvidia.com/")}
        looking = [item for item in pod.spec.get("initContainers", []) if item["command"][0] == "nvidia-smi"]
        if container["resources"].get("claims"):
            wanted.add("claims")
        if wanted and not any(wanted <= {*item["resources"], *item["resources"]["limits"]} for item in looking):
            yield f"{pod.name} does not look for its GPU before it serves"


CHECKS = (restricted, resources, gpus, images, volumes)
