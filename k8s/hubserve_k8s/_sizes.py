"""Work out memory, disk and load from a model and the CPUs that a pod has."""

from __future__ import annotations

from dataclasses import dataclass

from ._model import Model

_GIB = 2**30
# What an image below a megabyte can take while it is decoded, at the default cap of pixels: docs/image-handling.md.
_DECODE_GIB = 600 / 1024
_DEFAULT_MAX_PIXELS = 52_000_000
# Variables are in memory twice while they are loaded.
_COPIES = 2
# A judgement, to be set right by a look at a pod with a GPU: libraries, pinned buffers, requests that wait.
_RUNTIME_GIB, _CPU_RUNTIME_GIB = 4, 2
# A judgement: what a convolutional network holds of a batch at once, in copies of its input.
_ACTIVATIONS = 32
# Batches at a time, in base/config/batching.config.
BATCH_THREADS = 2
# The CUDA cache may take 4 GiB of /tmp; logs and layers take the rest.
_TMP_GIB, _REST_GIB = 5, 3


@dataclass(frozen=True)
class Sizes:
    """Hold what a pod needs: memory and disk in whole GiB, parts of the memory in GiB.

    Attributes:
        memory: Of a pod with a GPU.
        cpu_memory: Of a pod without one.
        memory_words: What `memory` is the sum of.
        cpu_memory_words: What `cpu_memory` is the sum of.
        disk: Of the volume that the model is copied into.
        disk_request: What the pod asks the node for.
        disk_limit: Above it the pod is evicted.
        claim: Of a volume with room for ten versions.
        threshold: Images in flight in a pod that is well used.
    """

    memory: int
    cpu_memory: int
    memory_words: str
    cpu_memory_words: str
    disk: int
    disk_request: int
    disk_limit: int
    claim: int
    threshold: int


def work_out(model: Model, cpus: int) -> Sizes:
    """Work out the sizes for a model, when `cpus` images are decoded at once.

    Memory is the sum of what is there always, the variables twice, and 600 MiB for each image that is decoded: more
    where the model allows more pixels than by default. The threshold is three quarters of the images in the batches
    that run at once.
    """
    variables = _COPIES * model.weights / _GIB
    decode = _DECODE_GIB * max(1.0, model.max_pixels / _DEFAULT_MAX_PIXELS)
    batch = _ACTIVATIONS * model.batch * model.pixels / _GIB
    disk = _whole(1.25 * model.size / _GIB)
    shared = f"{variables:.1f} for twice the variables"
    decodes = f"{decode:.1f} for each of {cpus} decodes"
    return Sizes(
        memory=_whole(_RUNTIME_GIB + variables + cpus * decode),
        cpu_memory=_whole(_CPU_RUNTIME_GIB + variables + batch + cpus * decode),
        memory_words=f"{_RUNTIME_GIB} GiB for TensorFlow and CUDA, {shared}, {decodes} at once.",
        cpu_memory_words=f"{_CPU_RUNTIME_GIB} GiB for TensorFlow, {shared}, {batch:.1f} for a batch of {model.batch}, "
        f"{decodes}.",
        disk=disk,
        disk_request=disk + 1,
        disk_limit=disk + _TMP_GIB + _REST_GIB,
        claim=_whole(10 * model.size / len(model.versions) / _GIB),
        threshold=round(0.75 * BATCH_THREADS * model.batch) or 1,
    )


def _whole(gib: float) -> int:
    """Round up to whole GiB, at least one."""
    return max(1, -int(-gib // 1))
