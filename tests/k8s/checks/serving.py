"""TF Serving's own behaviour: flags, configuration files, probes, drain."""

import math
import re
from collections.abc import Iterator

from google.protobuf import text_format

from hubserve_model.server_flags import unknown_flags
from k8s import kserve
from k8s.embedded import PARSERS
from k8s.manifests import Manifests, flags

_THREADS = 1000
_DECODE_MIB = 600
_SWITCHES = {"true", "false"}


def command_line(build: Manifests) -> Iterator[str]:
    """The release of the image knows every flag; it would print one that it does not know, and go on."""
    for pod, container in build.servers():
        if container.get("command") != ["/usr/bin/tensorflow_model_server"]:
            yield f"{pod.name} starts a shell that passes no signal on"
        release = tuple(int(part) for part in re.findall(r"\d+", container["image"].rpartition(":")[2])[:3])
        for name, since in unknown_flags(container["args"], release).items():
            yield f"{pod.name}: no flag --{name} in this release (first in {since})"
        for argument in container["args"]:
            if not re.fullmatch(r"--\w+=\S+", argument):
                yield f"{pod.name}: {argument} is not --flag=value"
        given = flags(container)
        for name, value in given.items():
            if (name.startswith(("enable_", "allow_")) or name.endswith("_enabled")) and value not in _SWITCHES:
                yield f"{pod.name}: --{name} is {value}, neither true nor false"
        # An entry without `=` is read past its end (server.cc).
        if not all("=" in entry for entry in given.get("grpc_channel_arguments", "a=1").split(",")):
            yield f"{pod.name}: an entry of --grpc_channel_arguments has no value"
        if given.get("max_num_load_retries") != "0":
            yield f"{pod.name} tries a broken model again for five minutes before it says so"
        if given.get("enable_profiler") != "false":
            yield f"{pod.name} offers its profiler to every caller"
        if "batching_parameters_file" in given and given.get("enable_batching") != "true":
            yield f"{pod.name}: the server ends over batching parameters without batching"
        # Of 300 callers of single images, 128 threads refused so many that a client without back-pressure lost most.
        if int(given.get("grpc_max_threads", "0")) < _THREADS:
            yield f"{pod.name} has fewer threads than {_THREADS} callers of single images hold"


def files(build: Manifests) -> Iterator[str]:
    """Every file that a flag names is there, and is what TF Serving's messages say."""
    for pod, container in build.servers():
        for name, path in flags(container).items():
            if not name.endswith("_file") or name == "ssl_config_file":
                continue
            text = build.config(pod, path)
            if text is None:
                yield f"{pod.name}: --{name} names {path}, which no ConfigMap brings"
                continue
            try:
                PARSERS[name](text)
            except text_format.ParseError as error:
                yield f"{pod.name}: {path} is not what --{name} takes: {error}"


def models(build: Manifests) -> Iterator[str]:
    """Models are where their volume is, read only, at versions by number; labels have the flag that they need."""
    for pod, container in build.servers():
        given = flags(container)
        text = build.config(pod, given["model_config_file"])
        if text is None:
            continue
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        for model in PARSERS["model_config_file"](text).model_config_list.config:
            folder, _, name = model.base_path.rpartition("/")
            if not model.base_path.startswith("gs://") and folder not in mounts:
                yield f"{pod.name}: {model.base_path} is in no volume"
            if folder in mounts and not mounts[folder].get("readOnly"):
                yield f"{pod.name} may write to its models"
            if model.base_path.startswith(("s3://", "hdfs://")):
                yield f"{pod.name}: TF Serving reads no {model.base_path.partition(':')[0]} since 2.7"
            if name != model.name:
                yield f"{pod.name}: the model {model.name} is in a folder called {name}"
            if not model.model_version_policy.specific.versions:
                yield f"{pod.name} takes any version, and holds two of them while it changes over"
            if model.version_labels and given.get("allow_version_labels_for_unavailable_models") != "true":
                yield f"{pod.name}: the server does not start with labels for versions that are not loaded"
            if set(model.version_labels.values()) - set(model.model_version_policy.specific.versions):
                yield f"{pod.name}: a label names a version that is not served"


def delivery(build: Manifests) -> Iterator[str]:
    """A volume that starts empty is filled before the server starts: over an empty folder it waits for ever."""
    for pod, container in build.servers():
        empty = {volume["name"] for volume in pod.spec["volumes"] if "emptyDir" in volume}
        read = {mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == "/models"}
        written = {
            mount["name"]
            for item in pod.spec.get("initContainers", [])
            for mount in item.get("volumeMounts", [])
            if not mount.get("readOnly")
        }
        for name in (empty & read) - written:
            yield f"{pod.name}: no container fills {name} before the server starts"
        order = [item["name"] for item in pod.spec.get("initContainers", [])]
        if "model" in order[order.index("verify-model") if "verify-model" in order else len(order) :]:
            yield f"{pod.name} verifies a model that is not there yet"


def xla(build: Manifests) -> Iterator[str]:
    """XLA is on in the session config and on the command line, or in neither: main.cc turns it off otherwise."""
    for pod, container in build.servers():
        given = flags(container)
        text = build.config(pod, given.get("tensorflow_session_config_file", "/"))
        wanted = text is not None and "global_jit_level" in text
        if wanted != (given.get("xla_gpu_compilation_enabled") == "true"):
            yield f"{pod.name}: XLA is asked for in the session config or by the flag, not by both"


def memory(build: Manifests) -> Iterator[str]:
    """As many images are decoded at once as the memory has room for, however many CPUs the node has."""
    for pod, container in build.servers():
        decodes = int(flags(container).get("tensorflow_inter_op_parallelism", "0"))
        limit = container["resources"]["limits"].get("memory", "0Gi")
        # docs/image-handling.md has the bound for an image.
        if not decodes or float(limit.removesuffix("Gi")) * 1024 < decodes * _DECODE_MIB:
            yield f"{pod.name} has no room for the images that it decodes at once ({decodes or 'all CPUs'})"


def probes(build: Manifests) -> Iterator[str]:
    """Ready means that a version serves; alive means that the process answers."""
    for pod, container in build.servers():
        given = flags(container)
        text = build.config(pod, given["model_config_file"]) or ""
        served = {model.name for model in PARSERS["model_config_file"](text).model_config_list.config}
        for probe in ("startupProbe", "readinessProbe"):
            path = container.get(probe, {}).get("httpGet", {}).get("path", "")
            match = re.fullmatch(r"/v1/models/([^/]+)/metadata", path)
            # The status without /metadata is 200 for a model of which every version has been unloaded.
            if not match or match[1] not in served:
                yield f"{pod.name} {probe} does not ask for the metadata of a served model"
        startup, liveness = container.get("startupProbe", {}), container.get("livenessProbe", {})
        budget = startup.get("periodSeconds", 10) * startup.get("failureThreshold", 3)
        if budget < 900:
            yield f"{pod.name} has {budget} s to start, and a GPU without code of its own takes many minutes"
        if pod.owner["spec"].get("progressDeadlineSeconds", 600) <= budget and not kserve.made(pod.owner):
            yield f"{pod.name}: a roll-out is reported as failed while its pods may still start"
        # The CPU image has no curl, and neither has a health probe.
        if any("exec" in container.get(probe, {}) for probe in ("startupProbe", "readinessProbe", "livenessProbe")):
            yield f"{pod.name} probes with a program that the image may not have"
        if "httpGet" in liveness:
            yield f"{pod.name} restarts a server whose model is not ready"
        if "grpc" in liveness and given.get("enable_grpc_healthcheck_service") != "true":
            yield f"{pod.name}: the liveness probe asks a service that is not there"
        if "grpc" in liveness and "ssl_config_file" in given:
            yield f"{pod.name}: the kubelet's gRPC probe does not speak TLS"
        if liveness.get("periodSeconds", 10) * liveness.get("failureThreshold", 3) < 60:
            yield f"{pod.name} is restarted within a minute, and loads its model again"


def drain(build: Manifests) -> Iterator[str]:
    """A pod that ends answers until its callers have left, and then frees its GPU at once."""
    for pod, container in build.servers():
        sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        grace = pod.spec.get("terminationGracePeriodSeconds", 30)
        if not sleep < grace:
            yield f"{pod.name} is killed {grace} s into a drain of {sleep} s"
        if not pod.spec.get("shareProcessNamespace"):
            yield f"{pod.name}: the server ignores SIGTERM as process 1, and keeps its GPU for the whole grace period"
        age_ms = re.search(r"grpc\.max_connection_age_ms=(\d+)", flags(container).get("grpc_channel_arguments", ""))
        age = int(age_ms[1]) / 1000 if age_ms else math.inf
        # gRPC spreads the age by a tenth, and names are cached for 30 s.
        if sleep < 1.1 * age + 30:
            yield f"{pod.name} ends before its callers' connections do ({age} s), or has no drain"


CHECKS = (command_line, files, models, delivery, xla, memory, probes, drain)
