"""The input of a model: the steps of the exported graph before the model, run alone."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.built import Array


def pixels(preprocessing: Mapping[str, Any], files: Sequence[bytes], seen_before: Path | None = None) -> Array:
    """The model's input for encoded images, float32 [N, values], channels last.

    Args:
        preprocessing: As a manifest has it.
        files: The encoded images.
        seen_before: A folder that keeps what was found for each preprocessing; None to keep nothing.
    """
    if seen_before is None:
        return _pixels(preprocessing, files)
    what = hashlib.sha256(json.dumps(preprocessing, sort_keys=True).encode())
    for data in files:
        what.update(hashlib.sha256(data).digest())
    kept = seen_before / f"{what.hexdigest()[:32]}.npy"
    if not kept.exists():
        np.save(kept, _pixels(preprocessing, files))
    seen: Array = np.load(kept)
    return seen


def _pixels(preprocessing: Mapping[str, Any], files: Sequence[bytes]) -> Array:
    import tensorflow as tf

    from hubserve_export._pixels import model_input
    from hubserve_export.decode.batch import decode_batch

    description = described(preprocessing)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def see(image_bytes: Any) -> Any:
        _, images = decode_batch(image_bytes, description)
        return tf.cast(model_input(images, description), tf.float32)

    seen = np.concatenate([see(tf.constant([data])).numpy() for data in files])
    if description.layout == "NCHW":
        seen = seen.transpose(0, 2, 3, 1)
    return seen.reshape(len(seen), -1)


def described(preprocessing: Mapping[str, Any]) -> Any:
    """The `Preprocessing` that a manifest describes, whatever else the manifest says there."""
    from hubserve_export import Preprocessing

    fields = {key: value for key, value in preprocessing.items() if key in Preprocessing.__dataclass_fields__}
    return Preprocessing(**fields)
