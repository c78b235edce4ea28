"""Write the kustomizations that say where: the overlay of the server, and those of the Jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._selection import OF_JOBS, Choice, Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._model import Model


def overlay(choice: Choice, model: Model) -> str:
    """Return the text of `overlays/NAME/kustomization.yaml`."""
    return "\n".join(_lines(choice, model)) + "\n"


def _lines(choice: Choice, model: Model) -> Iterator[str]:
    name = choice.name
    yield f"# {name} in the namespace {choice.namespace}: kubectl apply -k with this folder."
    yield "# You may edit this file. hubserve manifests writes it once, and does not overwrite it."
    yield "apiVersion: kustomize.config.k8s.io/v1beta1"
    yield "kind: Kustomization"
    yield f"namespace: {choice.namespace}"
    yield "resources: [../../base]"
    if components := [name for name in choice.components if name not in OF_JOBS]:
        yield "components:"
        yield from (f"  - ../../components/{component}" for component in components)
    by_kserve = "kserve" in choice.components
    replicas = choice.replicas[0] if choice.replicas and choice.replicas[0] == choice.replicas[1] else None
    if replicas and not by_kserve:
        yield f"replicas: [{{name: {name}, count: {replicas}}}]"
    yield "images:"
    yield "  # The image of the model, as your cluster pulls it. model.Dockerfile builds it."
    image = choice.image or Image(f"{name}-model", str(model.version), None)
    yield f"  - {{name: {name}-model, newName: {image.name}, {image.pinned}}}"
    patches = []
    if choice.pull_secret:
        patches.append(("v1", "ServiceAccount", f"imagePullSecrets: [{{name: {choice.pull_secret}}}]"))
    if by_kserve:
        fields = {"minReplicas": replicas, "runtimeClassName": choice.runtime_class}
        if chosen := ", ".join(f"{field}: {value}" for field, value in fields.items() if value):
            patches.append(("serving.kserve.io/v1beta1", "InferenceService", f"spec: {{predictor: {{{chosen}}}}}"))
    elif choice.runtime_class:
        spec = f"spec: {{template: {{spec: {{runtimeClassName: {choice.runtime_class}}}}}}}"
        patches.append(("apps/v1", "Deployment", spec))
    if patches:
        yield "patches:"
    for version, kind, text in patches:
        yield from ("  - patch: |", f"      apiVersion: {version}", f"      kind: {kind}")
        yield from (f"      metadata: {{name: {name}}}", f"      {text}")


def of_job(kustomization: str, choice: Choice) -> str:
    """Return a Job's kustomization with its components and the Secret for images: a Job has no account of its own."""
    if components := [name for name in choice.components if name in OF_JOBS]:
        kustomization += f"components: [{', '.join(f'../../components/{name}' for name in components)}]\n"
    if choice.pull_secret:
        value = f"[{{name: {choice.pull_secret}}}]"
        kustomization += (
            "patches:\n  - target: {kind: Job}\n    patch: |\n"
            f"      - {{op: add, path: /spec/template/spec/imagePullSecrets, value: {value}}}\n"
        )
    return kustomization
