"""KServe, played: the Deployment that it makes of an InferenceService and its ServingRuntime in the mode Standard.

Read from KServe's source (pkg/controller/v1beta1/inferenceservice: components/predictor.go and
reconcilers/deployment): the container is the runtime's, with the model's own fields over it; volumes of both count;
labels of the predictor, the InferenceService and the runtime reach the pods, and so do annotations.
"""

import copy
from typing import Any

Manifest = dict[str, Any]

# What a predictor has beside the fields of a pod, as far as we use it.
_NOT_THE_PODS = {"model", "minReplicas", "maxReplicas", "labels", "annotations", "deploymentStrategy"}


def deployments(objects: list[Manifest]) -> list[Manifest]:
    """Return the Deployments that KServe makes of the objects of a build: none, if they have none of its own."""
    runtimes = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "ServingRuntime"}
    return [
        _deployment(item, runtimes[item["spec"]["predictor"]["model"]["runtime"]])
        for item in objects
        if item["kind"] == "InferenceService"
    ]


def made(deployment: Manifest) -> bool:
    """Tell whether KServe makes this Deployment; we choose neither its selector nor how long its roll-out may take."""
    return deployment["spec"]["selector"]["matchLabels"].get("app", "").startswith("isvc.")


def _deployment(service: Manifest, runtime: Manifest) -> Manifest:
    predictor, metadata = service["spec"]["predictor"], service["metadata"]
    model = predictor["model"]
    assert metadata["annotations"]["serving.kserve.io/deploymentMode"] in ("RawDeployment", "Standard")
    # With another class KServe makes an autoscaler, which scales on CPU.
    assert metadata["annotations"]["serving.kserve.io/autoscalerClass"] == "none"
    formats = [(each["name"], each.get("version")) for each in runtime["supportedModelFormats"]]
    assert (model["modelFormat"]["name"], model["modelFormat"]["version"]) in formats
    assert model["protocolVersion"] in runtime["protocolVersions"]
    # Otherwise KServe brings the model itself, into /mnt/models.
    assert not {"storage", "storageUri"} & set(model)
    (container,) = copy.deepcopy(runtime["containers"])
    assert container["name"] == "kserve-container"
    name = f"{metadata['name']}-predictor"
    labels = {
        **runtime.get("labels", {}),
        **metadata.get("labels", {}),
        **predictor.get("labels", {}),
        "app": f"isvc.{name}",
    }
    pod = {key: value for key, value in predictor.items() if key not in _NOT_THE_PODS}
    pod["volumes"] = [*runtime.get("volumes", []), *predictor.get("volumes", [])]
    # The checks know the server by its name in the base.
    pod["containers"] = [{**container, "name": "tensorflow-serving"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": metadata["namespace"], "labels": labels},
        "spec": {
            "replicas": predictor["minReplicas"],
            "strategy": predictor["deploymentStrategy"],
            # KServe's defaults to the time in which a roll-out must come on: 600 s.
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app": labels["app"]}},
            "template": {
                "metadata": {"labels": labels, "annotations": runtime.get("annotations", {})},
                "spec": copy.deepcopy(pod),
            },
        },
    }
