"""The files that `hubserve manifests` writes for a model, and the objects that come out of them."""

import functools
import tempfile
from pathlib import Path

from click.testing import CliRunner, Result

from hubserve_cli.main import main
from k8s.manifests import JOBS, Manifests, kustomize, load
from k8s.models import MODELS, write_model

# The components that --gpu chooses.
BY_GPU = {"cpu": "none", "gpu-shared": "shared", "gpu-mig": "mig:2g.20gb"}
# What is nothing without another component.
_NEEDS = {
    "autoscaling-keda": ["monitoring"],
    "autoscaling-hpa": ["monitoring"],
    "scale-to-zero": ["monitoring", "autoscaling-keda"],
    "export": ["model-pvc"],
}
_OVERLAYS = {"gpu": (), "cpu": ("cpu",), "production": ("monitoring", "autoscaling-keda", "gateway", "priority")}


def run(model: Path, output: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["manifests", str(model), "--output", str(output), *options])


def written(model: Path, output: Path, *options: str) -> Path:
    done = run(model, output, *options)
    assert done.exit_code == 0, done.output
    return output


def options(names: tuple[str, ...]) -> list[str]:
    """The options that choose components."""
    gpu = next((BY_GPU[name] for name in names if name in BY_GPU), "1")
    return ["--gpu", gpu, "--with", ",".join(name for name in names if name not in BY_GPU)]


def offered(name: str, part: str) -> bool:
    """Tell whether a model has the Job: features are not classes, and a pod cannot export a file of the reader's."""
    if part == "bulk-job":
        return "features" not in MODELS[name]["model"]
    return part != "export" or MODELS[name]["source"]["handle"].startswith("https://")


@functools.cache
def generated(name: str, *parts: str, version: int = 1, namespace: str = "hubserve") -> Manifests:
    """The overlay for one of the models, with components and Jobs. It is shared: change a copy."""
    wanted = [*(need for part in parts for need in _NEEDS.get(part, [])), *parts]
    components = tuple(dict.fromkeys(part for part in wanted if part not in JOBS))
    with tempfile.TemporaryDirectory() as folder:
        model = write_model(Path(folder) / name, MODELS[name], 1, 2)
        given = ["--version", str(version), "--namespace", namespace, "--overlay", "gpu", *options(components)]
        output = written(model, Path(folder) / "out", *given)
        built = load(kustomize(output / "overlays" / "gpu")).objects
        for job in (part for part in parts if part in JOBS):
            built += load(kustomize(output / "jobs" / job)).objects
    return Manifests(built)


def generated_overlay(name: str, overlay: str, *, version: int = 1) -> Manifests:
    """Return the repository's overlay of this name, for another model."""
    return generated(name, *_OVERLAYS[overlay], version=version)


def files(folder: Path) -> dict[str, str]:
    """Return the text of each file of an output, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".hubserve.json"
    }


def build(output: Path, overlay: str = "gpu") -> Manifests:
    """Return what kustomize builds of an overlay of an output."""
    return load(kustomize(output / "overlays" / overlay))
