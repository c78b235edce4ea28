"""Every object is what the API servers of the oldest, a middle and the newest supported Kubernetes take, strictly."""

import copy
import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest

from k8s.manifests import OVERLAYS, PARTS, Manifest, Manifests, overlay, with_components

VERSIONS = ("1.31", "1.34", "1.37")
# What a component asks of a newer Kubernetes, and says so.
_SINCE = {"resource.k8s.io/v1": "1.34"}
_CRDS = {
    (schema["kind"], schema["apiVersion"]): schema["openAPIV3Schema"]
    for schema in (json.loads(file.read_text()) for file in (Path(__file__).parent / "schemas").glob("*.json"))
}


def strict(schema: Manifest) -> Manifest:
    """A schema that refuses unknown fields, where a server would drop them."""
    closed = {key: strict(value) if isinstance(value, dict) else value for key, value in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed["properties"] = {key: strict(value) for key, value in schema["properties"].items()}
        closed.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
    return closed


def validate(item: Manifest, version: str) -> None:
    if item["apiVersion"].startswith("serving.kserve.io/"):
        # Their schemas are megabytes. A real API server holds them to these (cluster/test_admission.py), and here the
        # Deployment that KServe makes of them is validated.
        return
    crd = _CRDS.get((item["kind"], item["apiVersion"]))
    if crd is None:
        kubernetes_validate.validate(item, version, strict=True)
        return
    # apiVersion, kind and metadata are the same for all kinds, and in no CRD's schema in full.
    item = {**item, "metadata": {}}
    jsonschema.Draft4Validator(strict(crd)).validate(item)


def everything() -> dict[str, Manifests]:
    return {name: overlay(name) for name in OVERLAYS} | {name: with_components(name) for name in PARTS}


@pytest.fixture(scope="module")
def distinct() -> list[Manifest]:
    """Each object of each build, once."""
    found = {json.dumps(item, sort_keys=True): item for build in everything().values() for item in build.objects}
    return list(found.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(distinct, version):
    for item in distinct:
        if version >= _SINCE.get(item["apiVersion"], ""):
            validate(item, version)


def deployment() -> Manifest:
    return copy.deepcopy(overlay("gpu").one("Deployment"))


def test_a_misspelt_field_is_noticed():
    broken = deployment()
    container = broken["spec"]["template"]["spec"]["containers"][0]
    container["readinesProbe"] = container.pop("readinessProbe")
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        validate(broken, VERSIONS[-1])


def test_a_field_at_the_wrong_place_is_noticed():
    replicas, group = deployment(), deployment()
    replicas["spec"]["template"]["spec"]["replicas"] = 2
    group["spec"]["template"]["spec"]["containers"][0]["securityContext"]["fsGroup"] = 10001
    for broken in (replicas, group):
        with pytest.raises(kubernetes_validate.ValidationError):
            validate(broken, VERSIONS[-1])


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler"),
        ("extensions/v1beta1", "Deployment"),
        ("traefik.containo.us/v1alpha1", "IngressRoute"),
    ],
)
def test_an_api_that_was_removed_or_does_not_exist_is_noticed(version, kind):
    broken = {"apiVersion": version, "kind": kind, "metadata": {"name": "pnasnet"}}
    with pytest.raises((kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError)):
        validate(broken, VERSIONS[-1])


@pytest.mark.parametrize("kind", [kind for kind, _ in _CRDS])
def test_a_custom_object_is_held_to_its_schema(kind):
    item = copy.deepcopy(next(item for build in everything().values() for item in build.of(kind)))
    validate(item, VERSIONS[0])
    for broken in ({**item, "spec": {**item["spec"], "unheardOf": 1}}, {**item, "spec": []}):
        with pytest.raises(jsonschema.ValidationError):
            validate(broken, VERSIONS[0])
