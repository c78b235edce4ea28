"""The export, from a model's name to a published version."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from . import _image_model, _labels, _manifest, _proof, _publish, _serving_files
from ._errors import ModelError, OutputError
from ._image_model import ImageModel
from ._progress import Progress
from ._servable import Servable
from ._sources import Source, open_source
from .decode.batch import Preprocessing

_NODE_AND_OP = re.compile(r"\{\{.*?\}\}|\[Op:\w+\]\s*$")
DEFAULT_TOP_K = 5
DEFAULT_BATCH_SIZES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Options:
    """What `hubserve export` was asked for.

        Options(model="efficientnet-lite0", output=Path("models/lite0"))

    Attributes:
        model: A hub handle or URL, the folder of a SavedModel, a `.tar.gz` of one, or `efficientnet-lite0`.
        output: The model's base folder, which holds its versions.
        version: The integer version; None for the next.
        labels: A file of class names; None for ImageNet's.
        top_k: How many classes an answer has; None for five, or all where there are fewer.
        image_size: Height and width of the input, for a model that takes any size.
        crop_fraction: The central part of each side that the model sees.
        max_pixels: Images of more pixels are answered with status 2.
        batch_sizes: The batch sizes that the server will run, ascending.
        warmup_images: A folder of images for warm-up and proof; None for the ones that come with hubserve.
    """

    model: str
    output: Path
    version: int | None = None
    labels: Path | None = None
    top_k: int | None = None
    image_size: int | None = None
    crop_fraction: float = 1.0
    max_pixels: int = 64_000_000
    batch_sizes: Sequence[int] = DEFAULT_BATCH_SIZES
    warmup_images: Path | None = None


@dataclass(frozen=True)
class Published:
    """A version that was published: its folder, its number of classes, and how it was proven."""

    folder: Path
    classes: int
    parity: _proof.Parity


def export(options: Options, progress: Progress | None = None) -> Published:
    """Exports a model as a version that TF Serving can load.

    Args:
        options: What to export, and how.
        progress: Told of each step; None for nobody.

    Raises:
        ExportError: Something is not as it must be. The model's base folder is as it was before.
    """
    progress = progress or Progress()
    version = _publish.choose_version(options.output, options.version)
    photographs = _warmup_images(options.warmup_images)
    progress.step(f"opening {options.model}")
    with open_source(options.model) as source:
        progress.step("loading")
        model = _image_model.load(source, options.image_size)
        labels = _labels.for_model(options.labels, model.classes)
        preprocessing = Preprocessing(model.height, model.width, options.crop_fraction, options.max_pixels)
        top_k = _top_k(options.top_k, model.classes)
        with _publish.staging(options.output, version) as folder:
            progress.step("saving")
            with _writing(options.output):
                Servable(model, labels, preprocessing, top_k).save(folder)
                _serving_files.write_batching(folder, options.batch_sizes)
                _serving_files.write_warmup(folder, photographs, options.batch_sizes)
            progress.step("proving that it answers as the source model does")
            parity = _proof.prove(folder, model, labels, preprocessing, photographs, progress)
            progress.step("publishing")
            with _writing(options.output):
                _manifest.write(
                    folder, _described(source, model, folder, preprocessing, top_k, options.batch_sizes, parity)
                )
    return Published(options.output / str(version), model.classes, parity)


@contextmanager
def _writing(base: Path) -> Iterator[None]:
    """Says in one sentence what the operating system says when a file cannot be written, above all of a full disk."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        # TensorFlow has "{{node}} path; what the system said [Op:name]".
        reason = (
            error.strerror
            if isinstance(error, OSError)
            else _NODE_AND_OP.sub("", error.message).rpartition("; ")[2].strip()
        )
        raise OutputError(
            f"the new version cannot be written to {base} ({reason}), and nothing was published; make room there, or "
            "give another --output"
        ) from error


def _warmup_images(folder: Path | None) -> list[bytes]:
    if folder is None:
        shipped = resources.files("hubserve_export") / "data" / "photographs"
        return [
            file.read_bytes()
            for file in sorted(shipped.iterdir(), key=lambda file: file.name)
            if file.name.endswith(".jpg")
        ]
    try:
        images = [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]
    except OSError as error:
        raise OutputError(
            f"the warm-up images in {folder} cannot be read ({error.strerror}); give a folder of images "
            "with --warmup-images"
        ) from error
    if not images:
        raise OutputError(f"{folder} has no files in it; give a folder of images with --warmup-images")
    return images


def _top_k(wanted: int | None, classes: int) -> int:
    if wanted is None:
        return min(DEFAULT_TOP_K, classes)
    if wanted > classes:
        raise ModelError(f"--top-k is {wanted}, and the model has {classes} classes; give {classes} at most")
    return wanted


def _described(
    source: Source,
    model: ImageModel,
    folder: Path,
    preprocessing: Preprocessing,
    top_k: int,
    batch_sizes: Sequence[int],
    parity: _proof.Parity,
) -> dict[str, Any]:
    """The manifest's own part; `_manifest` adds the format and the program."""
    return {
        "source": {
            "handle": source.handle,
            "kind": source.kind,
            "files": [dataclasses.asdict(file) for file in source.files()],
        },
        "tensorflow": tf.__version__,
        "model": {"classes": model.classes, "parameters": _parameters(folder), "top_k": top_k},
        "signatures": _signatures(folder),
        "preprocessing": dataclasses.asdict(preprocessing)
        | {"resize": "bilinear, antialiased, aspect ratio not kept", "range": [0.0, 1.0]},
        "labels": {
            "file": "assets/labels.txt",
            "sha256": hashlib.sha256((folder / "assets" / "labels.txt").read_bytes()).hexdigest(),
        },
        "batch_sizes": list(batch_sizes),
        "parity": dataclasses.asdict(parity),
    }


def _parameters(folder: Path) -> int:
    """How many numbers the saved variables hold."""
    variables = tf.train.list_variables(str(folder / "variables" / "variables"))
    # The one entry without a shape is the checkpoint's own index.
    return sum(math.prod(shape) for name, shape in variables if not name.startswith("_CHECKPOINTABLE"))


def _signatures(folder: Path) -> dict[str, Any]:
    """The signatures in the written file: inputs and outputs by name, with dtype and shape (null for any size)."""
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return {
        name: {"inputs": _tensors(definition.inputs), "outputs": _tensors(definition.outputs)}
        for name, definition in sorted(saved.meta_graphs[0].signature_def.items())
        if not name.startswith("__")
    }


def _tensors(infos: Any) -> dict[str, Any]:
    return {
        name: {
            "dtype": tf.as_dtype(info.dtype).name,
            "shape": [None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim],
        }
        for name, info in sorted(infos.items())
    }
