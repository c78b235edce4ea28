"""Turn the manifests that come with hubserve, those of a model called `pnasnet`, into those of another.

A substitution names the file, the text that stands there, and the text for the model at hand. The files are read by
people, too: whatever is not substituted is the same for every model.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._model import Model
    from ._selection import Choice
    from ._server import Server
    from ._sizes import Sizes

_INSTALLED = Path(__file__).parent / "tree"
# In the repository the tree is k8s/ itself.
_ROOT = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[1]
COMPONENTS = tuple(sorted(folder.name for folder in (_ROOT / "components").iterdir() if folder.is_dir()))
_DOCKERFILE = "model.Dockerfile"
# The name of the model, and the namespace where it is not the label part-of. One pass replaces both, because the new
# namespace may contain the old name.
_NAMES = re.compile(
    r'(?m)(?P<before>namespace: |-n |namespace="|\.|^  name: )hubserve(?=["\s.}]|$)'
    r"|(?P<prefix>hubserve)(?=-pnasnet-serving)|(?P<model>pnasnet)|(?P<alert>Pnasnet)"
)


def texts(choice: Choice, model: Model, server: Server, sizes: Sizes, source: str | None) -> dict[str, str]:
    """Return the chosen files of the tree, for this model, by their paths.

    Args:
        choice: The options.
        model: What is known of the model.
        server: The images of TensorFlow Serving.
        sizes: What its pods need.
        source: What jobs/export exports, or None where a pod cannot reach it.
    """
    folders = ["base", *(f"components/{name}" for name in choice.components), "jobs/load-test"]
    if model.classifies:
        folders.append("jobs/bulk-job")
    if "model-pvc" in choice.components and source is not None:
        folders.append("jobs/export")
    found = {
        file.relative_to(_ROOT).as_posix(): file.read_text(encoding="utf-8")
        for folder in folders
        for file in sorted((_ROOT / folder).rglob("*"))
        if file.is_file()
    }
    found[_DOCKERFILE] = (_ROOT / _DOCKERFILE).read_text(encoding="utf-8")
    found = {path: _named(text, choice) for path, text in found.items()}
    for path, old, new in (*_substitutions(choice, model, sizes, source), *_images(server)):
        if path in found:
            if old not in found[path]:
                raise AssertionError(f"{path} has no {old!r}")
            found[path] = found[path].replace(old, new)
    return found


def _named(text: str, choice: Choice) -> str:
    alert = "".join(part.capitalize() for part in choice.name.split("-"))

    def new(match: re.Match[str]) -> str:
        if match["model"]:
            return choice.name
        return alert if match["alert"] else (match["before"] or "") + choice.namespace

    return _NAMES.sub(new, text)


def _substitutions(choice: Choice, model: Model, sizes: Sizes, source: str | None) -> Iterator[tuple[str, str, str]]:
    """Give the file, the text that stands there, and the text for this model. Names are those of the model already."""
    name, cpus = choice.name, choice.cpus
    deployment, cpu = "base/deployment.yaml", "components/cpu/kustomization.yaml"
    words = "{} GiB for TensorFlow{}, 0.6 for twice the variables,{} 0.6 for each of 3 decodes{}."
    yield deployment, words.format(4, " and CUDA", "", " at once"), sizes.memory_words
    yield (
        deployment,
        'cpu: "3", memory: 7Gi, ephemeral-storage: 2Gi',
        f'cpu: "{cpus}", memory: {sizes.memory}Gi, ephemeral-storage: {sizes.disk_request}Gi',
    )
    yield (
        deployment,
        "{memory: 7Gi, ephemeral-storage: 9Gi",
        f"{{memory: {sizes.memory}Gi, ephemeral-storage: {sizes.disk_limit}Gi",
    )
    yield deployment, "inter_op_parallelism=3", f"inter_op_parallelism={cpus}"
    yield deployment, "models, emptyDir: {sizeLimit: 1Gi}", f"models, emptyDir: {{sizeLimit: {sizes.disk}Gi}}"
    yield deployment, f"image: {name}-model:1", f"image: {name}-model:{model.version}"
    yield cpu, words.format(2, "", " 1.3 for a batch of 32,", ""), sizes.cpu_memory_words
    yield cpu, 'cpu: "3", memory: 6Gi', f'cpu: "{cpus}", memory: {sizes.cpu_memory}Gi'
    yield cpu, "{memory: 6Gi", f"{{memory: {sizes.cpu_memory}Gi"
    for path in ("base/config/models.config", "components/model-gcs/models.config"):
        yield path, "versions: 1 ", f"versions: {model.version} "
    yield from _canary(model)
    yield (
        _DOCKERFILE,
        f"1 /{name}/1\n",
        "\nCOPY --chown=10001:10001 ".join(f"{version} /{name}/{version}" for version in model.versions) + "\n",
    )
    yield _DOCKERFILE, f"--tag {name}-model:1 ", f"--tag {name}-model:{model.version} "
    yield "components/model-pvc/volume.yaml", "storage: 4Gi", f"storage: {sizes.claim}Gi"
    yield (
        "components/model-image-volume/kustomization.yaml",
        f'reference: "{name}-model:1"',
        f'reference: "{_reference(choice, model)}"',
    )
    yield "jobs/export/job.yaml", f"name: {name}-export-1", f"name: {name}-export-{model.version}"
    yield "jobs/export/job.yaml", '--version, "1"', f'--version, "{model.version}"'
    if source is not None:
        yield "jobs/export/job.yaml", _SOURCE.replace("pnasnet", name), json.dumps(source)
    sizes_of_requests = ",".join(map(str, sorted({1, max(1, model.batch // 4), model.batch})))
    yield "jobs/load-test/job.yaml", '"1,8,32"', f'"{sizes_of_requests}"'
    if choice.mig:
        yield "components/gpu-mig/kustomization.yaml", "mig-2g.20gb", f"mig-{choice.mig}"
    for file in ("podmonitor", "prometheusrule"):
        yield f"components/monitoring/{file}.yaml", "{release: kube-prometheus-stack}", f"{{release: {choice.release}}}"
    yield from _scaling(choice, model, sizes)


def _images(server: Server) -> Iterator[tuple[str, str, str]]:
    yield "base/deployment.yaml", "image: tensorflow/serving:2.20.0-gpu", f"image: {server.image.text}"
    cpu = f"digest: {server.cpu.digest}" if server.cpu.digest else f"newTag: {server.cpu.tag}"
    yield (
        "components/cpu/kustomization.yaml",
        "{name: tensorflow/serving, newTag: 2.20.0}",
        f"{{name: {server.cpu.name}, {cpu}}}",
    )


_SOURCE = '"https://tfhub.dev/google/imagenet/pnasnet_large/classification/4"'


def _scaling(choice: Choice, model: Model, sizes: Sizes) -> Iterator[tuple[str, str, str]]:
    keda, hpa = "components/autoscaling-keda/scaledobject.yaml", "components/autoscaling-hpa/hpa.yaml"
    yield keda, 'threshold: "48"', f'threshold: "{sizes.threshold}"'
    yield hpa, 'averageValue: "48"', f'averageValue: "{sizes.threshold}"'
    for path in (keda, hpa):
        yield path, "0.75 x 2 x 32", f"0.75 x 2 x {model.batch}"
    if choice.replicas:
        least, most = choice.replicas
        yield keda, "minReplicaCount: 2", f"minReplicaCount: {least}"
        yield keda, "maxReplicaCount: 4", f"maxReplicaCount: {most}"
        yield keda, "replicas: 2,", f"replicas: {least},"
        yield hpa, "minReplicas: 2", f"minReplicas: {least}"
        yield hpa, "maxReplicas: 4", f"maxReplicas: {most}"


def _canary(model: Model) -> Iterator[tuple[str, str, str]]:
    path, later = "components/canary/models.config", model.canary
    if later is not None:
        yield path, "the highest, 2:", f"the highest, {later}:"
        yield path, "versions: 1 versions: 2", f"versions: {model.version} versions: {later}"
        yield path, '"stable" value: 1', f'"stable" value: {model.version}'
        yield path, '"canary" value: 2', f'"canary" value: {later}'


def _reference(choice: Choice, model: Model) -> str:
    return f"{choice.name}-model:{model.version}" if choice.image is None else choice.image.text
