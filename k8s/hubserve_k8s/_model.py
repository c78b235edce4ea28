"""Read what the manifests need to know of a model, from its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubserve_model import InspectError, manifest
from hubserve_model.exporter import newer_tensorflow
from hubserve_model.versions import version_folder, versions

from ._errors import ManifestsError

# The release of TensorFlow Serving in k8s/base/deployment.yaml.
SERVER = (2, 20, 0)


@dataclass(frozen=True)
class Model:
    """Hold what the manifests need to know of a model.

    Attributes:
        version: The version that is served.
        canary: A later version that is served beside it, or None.
        weights: Bytes of the version's variables.
        size: Bytes of the versions that are served.
        batch: Images in the largest batch that the server runs.
        pixels: Bytes of the numbers that the model takes for one image.
        max_pixels: Pixels of the largest image that is decoded.
        classifies: Whether the answers are classes, and not features.
    """

    version: int
    canary: int | None
    weights: int
    size: int
    batch: int
    pixels: int
    max_pixels: int
    classifies: bool

    @property
    def versions(self) -> list[int]:
        """The versions that the model's image holds."""
        return [self.version] if self.canary is None else [self.version, self.canary]


def read_model(base: Path, version: int | None, *, canary: bool) -> Model:
    """Read a model directory.

    Args:
        base: The base folder, which holds versions.
        version: The version to serve. None is the newest; with `canary` the newest but one.
        canary: Whether the newest version is served beside it.

    Raises:
        InspectError: There is no such version, or its manifest cannot be read.
        ManifestsError: `canary` finds no later version, or a newer TensorFlow exported the model than the server has.
    """
    there = versions(base)
    if version is None and canary and len(there) > 1:
        version = there[-2]
    folder = version_folder(base, version)
    chosen = int(folder.name)
    if canary and not any(other > chosen for other in there):
        raise ManifestsError(
            f"canary needs a version after {chosen}, and {base} has none: export one, or name an earlier version with "
            "--version"
        )
    later = there[-1] if canary else None
    document = manifest.read(folder)
    documents = [document] if later is None else [document, manifest.read(version_folder(base, later))]
    for each in documents:
        if (exporter := newer_tensorflow(each, SERVER)) is not None:
            served = ".".join(map(str, SERVER))
            raise ManifestsError(
                f"{base} was exported with TensorFlow {exporter}, and the manifests run TensorFlow Serving {served}, "
                f"which may not load it: export it with TensorFlow {SERVER[0]}.{SERVER[1]}"
            )
    try:
        shape = document["preprocessing"]
        return Model(
            version=chosen,
            canary=later,
            weights=_bytes(document, "variables/"),
            size=sum(_bytes(each) for each in documents),
            batch=document["batch_sizes"][-1],
            # Whatever the model's own type, an image is resized in float32.
            pixels=4 * 3 * shape["height"] * shape["width"],
            max_pixels=shape["max_pixels"],
            classifies="features" not in document["model"],
        )
    except (KeyError, IndexError, TypeError) as error:
        raise InspectError(f"the manifest of {folder} lacks {error}; export the model again") from error


def _bytes(document: dict[str, Any], below: str = "") -> int:
    return sum(file["bytes"] for file in document["files"] if file["path"].startswith(below))
