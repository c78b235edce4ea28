"""Hold the options of `hubserve manifests` against each other."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ._errors import ChoiceError
from ._tree import COMPONENTS

_KSERVE_SCALES = "the Deployment belongs to KServe"
# What cannot be together, and why.
ALTERNATIVES: dict[frozenset[str], str] = {
    frozenset({"model-pvc", "model-image-volume", "model-gcs"}): "the model comes from one place",
    frozenset({"cpu", "gpu-shared", "gpu-mig", "gpu-dra"}): "a pod has one kind of GPU, or none",
    frozenset({"autoscaling-keda", "autoscaling-hpa"}): "two autoscalers work against each other",
    frozenset({"kserve", "autoscaling-keda"}): _KSERVE_SCALES,
    frozenset({"kserve", "autoscaling-hpa"}): _KSERVE_SCALES,
    frozenset({"cpu", "mixed-precision"}): "mixed precision is for tensor cores",
    frozenset({"cpu", "gpu-node"}): "gpu-node asks for a node with a GPU",
    frozenset({"canary", "model-gcs"}): "each has a models.config of its own",
    frozenset({"verify-model", "model-gcs"}): "a bucket is not a folder that a Job can mount",
    frozenset({"mixed-precision", "bfloat16-cpu"}): "each has a session config of its own",
    frozenset({"gateway", "mtls"}): "a Gateway's proxy has no certificate of the callers' authority",
}
# What is nothing without another component.
NEEDS = {"autoscaling-keda": "monitoring", "autoscaling-hpa": "monitoring", "scale-to-zero": "autoscaling-keda"}
# These change the Jobs, and not the server.
OF_JOBS = ("kueue",)
# These are chosen by --gpu.
_BY_GPU = {"cpu", "gpu-shared", "gpu-mig"}
# The longest name that is made of it is NAME-headless-XXXXX or so; a label and a host name have 63 characters.
_LONGEST = 40
_DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MIG = re.compile(r"mig:(\d+g\.\d+gb(?:\.me)?)")
# A registry with or without its port, and a path in lower case.
_IMAGE = re.compile(
    r"(?P<name>(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]+)?/)?[a-z0-9][a-z0-9._/-]*)"
    r"(?::(?P<tag>[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
# Tags that mean another image tomorrow.
_FLOATING = ("latest", "latest-gpu", "nightly", "nightly-gpu")
# What YAML reads as a number, a date, a truth value or nothing.
_NOT_TEXT = re.compile(
    r"true|false|yes|no|on|off|y|n|null|[0-9]+(e[0-9]+)?|0x[0-9a-f]+|0o[0-7]+|0b[01]+|[0-9]{4}(-[0-9]{1,2}){2}"
)
# Our own names for other things of a model: `cats` has a Service `cats-headless`, and a model of that name has, too.
_ENDINGS = ("-headless", "-jobs", "-gateway", "-monitoring", "-gcs")


@dataclass(frozen=True)
class Image:
    """An image by its tag or its digest."""

    name: str
    tag: str | None
    digest: str | None

    @property
    def pinned(self) -> str:
        """The part of a kustomization that says which one."""
        return f"digest: {self.digest}" if self.digest else f'newTag: "{self.tag}"'

    @property
    def text(self) -> str:
        """The image as a pod names it."""
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


@dataclass(frozen=True)
class Choice:
    """Hold the options after they were checked against each other.

    Attributes:
        name: Of the model for its callers, and of everything in the cluster.
        namespace: That everything is in.
        overlay: The folder below `overlays`.
        image: The model's image, or None for the default.
        server_image: The image of TensorFlow Serving, or None for the release that the model needs.
        replicas: How many pods; the smallest and the largest number with autoscaling. None leaves it to the cluster.
        cpus: CPUs of a pod, and images that are decoded at once.
        components: Folders below `components`, in the order in which they are applied.
        mig: The slice of a GPU, such as `2g.20gb`, or None.
        release: The Helm release of the Prometheus operator.
        pull_secret: A Secret for pulling images, or None.
        runtime_class: The RuntimeClass of the server's pods, or None.
    """

    name: str
    namespace: str
    overlay: str
    image: Image | None
    server_image: Image | None
    replicas: tuple[int, int] | None
    cpus: int
    components: tuple[str, ...]
    mig: str | None
    release: str
    pull_secret: str | None
    runtime_class: str | None


def choose(
    *,
    name: str,
    namespace: str,
    gpu: str,
    components: tuple[str, ...],
    overlay: str | None = None,
    image: str | None = None,
    server_image: str | None = None,
    replicas: str | None = None,
    cpus: int = 3,
    release: str = "kube-prometheus-stack",
    pull_secret: str | None = None,
    runtime_class: str | None = None,
) -> Choice:
    """Check options, each by itself and against the others.

    Raises:
        ChoiceError: A value is not possible, or two contradict each other.
    """
    _check_name(name)
    labels = {
        "--namespace": namespace,
        "--overlay": overlay,
        "--prometheus-release": release,
        "--pull-secret": pull_secret,
        "--runtime-class": runtime_class,
    }
    for option, value in labels.items():
        if value is not None:
            _check_label(option, value)
    chosen, mig = _with_gpu(gpu, components)
    _check_components(chosen)
    return Choice(
        name=name,
        namespace=namespace,
        overlay=overlay or ("cpu" if gpu == "none" else "gpu"),
        image=_image("--image", image),
        server_image=_image("--server-image", server_image),
        replicas=_replicas(replicas, scales=any(each.startswith("autoscaling-") for each in chosen)),
        cpus=cpus,
        components=chosen,
        mig=mig,
        release=release,
        pull_secret=pull_secret,
        runtime_class=runtime_class,
    )


def _check_name(name: str) -> None:
    if not _DNS_LABEL.fullmatch(name) or len(name) > _LONGEST:
        raise ChoiceError(
            f"{name} cannot be the name of a Service: give one with --name, of at most {_LONGEST} lower-case letters, "
            "digits and hyphens, that begins with a letter"
        )
    if name.endswith(_ENDINGS):
        other, _, ending = name.rpartition("-")
        raise ChoiceError(
            f"--name {name} is also what a model called {other} calls its own objects: give a name that does not end "
            f"with -{ending}"
        )
    if _NOT_TEXT.fullmatch(name):
        raise ChoiceError(f"--name {name} is not text in YAML: give another name")


def _check_label(option: str, value: str) -> None:
    if not _LABEL.fullmatch(value) or len(value) > 63:
        raise ChoiceError(f"{option} {value} is not a DNS label: use lower-case letters, digits and hyphens")
    if _NOT_TEXT.fullmatch(value):
        raise ChoiceError(f"{option} {value} is not text in YAML: use another name")


def _with_gpu(gpu: str, components: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """Return all components, and the slice of a GPU."""
    for name in components:
        if name not in COMPONENTS or name in _BY_GPU:
            hint = "; --gpu chooses it" if name in _BY_GPU else ""
            known = ", ".join(each for each in COMPONENTS if each not in _BY_GPU)
            raise ChoiceError(f"--with has no {name}{hint}. It has {known}")
    mig = _MIG.fullmatch(gpu)
    by_gpu = {"none": ["cpu"], "1": [], "shared": ["gpu-shared"]}.get(gpu, ["gpu-mig"] if mig else None)
    if by_gpu is None:
        raise ChoiceError(f"--gpu {gpu} is not none, 1, shared or mig:SLICE, such as mig:2g.20gb")
    return _ordered([*by_gpu, *components]), mig[1] if mig else None


def _ordered(names: list[str]) -> tuple[str, ...]:
    """Return each name once, and behind what it needs: a component changes what earlier ones brought."""
    found: dict[str, None] = {}
    for name in names:
        chain = [name]
        while NEEDS.get(chain[0]) in names:
            chain.insert(0, NEEDS[chain[0]])
        found |= dict.fromkeys(chain)
    # It copies what the others have changed.
    return tuple(sorted(found, key=lambda name: name == "kserve"))


def _check_components(chosen: tuple[str, ...]) -> None:
    for others, reason in ALTERNATIVES.items():
        if len(both := [name for name in chosen if name in others]) > 1:
            raise ChoiceError(f"{' and '.join(both)} exclude each other ({reason}): choose one of them")
    for name in chosen:
        if name in NEEDS and NEEDS[name] not in chosen:
            raise ChoiceError(f"{name} needs {NEEDS[name]}: add it to --with")


def _image(option: str, text: str | None) -> Image | None:
    if text is None:
        return None
    match = _IMAGE.fullmatch(text)
    if not match:
        raise ChoiceError(f"{option} {text} is not the name of an image, such as registry.example.com/cats:1")
    if not (match["digest"] or match["tag"]) or (match["tag"] in _FLOATING and not match["digest"]):
        raise ChoiceError(
            f"{option} {text} floats: name it with a tag or a digest, such as registry.example.com/cats:1"
        )
    return Image(match["name"], match["tag"], match["digest"])


def _replicas(text: str | None, *, scales: bool) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if not match:
        raise ChoiceError(f"--replicas {text} is not a number such as 2, or with autoscaling a range such as 2-8")
    least, most = int(match[1]), int(match[2] or match[1])
    if (match[2] is not None) != scales:
        raise ChoiceError(
            f"--replicas {text}: autoscaling needs the smallest and the largest number, such as 2-8"
            if scales
            else f"--replicas {text}: a range needs autoscaling, such as --with monitoring,autoscaling-keda"
        )
    if least > most or least < 1:
        raise ChoiceError(f"--replicas {text} must be positive and ascending")
    return least, most
