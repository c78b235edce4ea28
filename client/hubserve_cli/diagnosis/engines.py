"""Look for programs and hardware that can run a model: TensorFlow Serving, Docker, a GPU."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from .finding import Finding, output_of

_PROGRAM = "tensorflow_model_server"
_IMAGE = "tensorflow/serving"


def findings() -> Iterator[Finding]:
    """Return a finding for each engine. One that is absent is only a problem for a user who needs it."""
    yield _program()
    yield from _docker()
    yield _gpu()


def _program() -> Finding:
    if shutil.which(_PROGRAM) is None:
        return Finding(
            "TensorFlow Serving",
            "absent",
            f"{_PROGRAM} is not on the PATH",
            "for `serve --engine binary`: https://www.tensorflow.org/tfx/serving/setup",
        )
    well, said = output_of([_PROGRAM, "--version"])
    return Finding("TensorFlow Serving", "ok" if well else "problem", said, "" if well else "install it anew")


def _docker() -> Iterator[Finding]:
    if shutil.which("docker") is None:
        yield Finding(
            "Docker",
            "absent",
            "docker is not on the PATH",
            "for `serve --engine docker`: https://docs.docker.com/get-started/get-docker",
        )
        return
    well, said = output_of(["docker", "version", "--format={{.Server.Version}}"])
    if not well:
        yield Finding(
            "Docker", "absent", said, "for `serve --engine docker`: start Docker's daemon, and let your user call it"
        )
        return
    yield Finding("Docker", "ok", said)
    well, said = output_of(["docker", "images", _IMAGE, "--format={{.Repository}}:{{.Tag}}"])
    images = said if well else ""
    yield Finding(
        "image of TensorFlow Serving",
        "ok" if images else "absent",
        images or f"Docker has no image {_IMAGE}",
        "" if images else f"for `serve --engine docker`: docker pull {_IMAGE}:2.20.0",
    )


def _gpu() -> Finding:
    if shutil.which("nvidia-smi") is None:
        return Finding("GPU", "absent", "nvidia-smi is not on the PATH", "to serve on a GPU: install NVIDIA's driver")
    well, said = output_of(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"])
    return Finding("GPU", "ok" if well else "problem", said, "" if well else "look at NVIDIA's driver")
