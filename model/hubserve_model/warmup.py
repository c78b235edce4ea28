"""Read a version's warm-up records: requests that a server runs before it serves the version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ._errors import WarmupError

FILE = Path("assets.extra", "tf_serving_warmup_requests")
# WarmupConsts::kMaxNumRecords: TensorFlow Serving refuses to load a version with more records.
MAX_RECORDS = 1000
REMEDY = "export the model again, or remove the file to serve without warm-up"


def read_warmup(folder: Path) -> list[bytes]:
    """Return the records of a version in their order, each a serialized `tensorflow.serving.PredictionLog`.

    Imports TensorFlow, whose reader verifies checksums. A version without the file has no records.

    Args:
        folder: The version's folder.

    Raises:
        WarmupError: The file is not a complete TFRecord file, or has more than a thousand records.
    """
    file = folder / FILE
    if not file.is_file():
        return []
    records = list(_records(file))
    if len(records) > MAX_RECORDS:
        # The message is that of saved_model_warmup_util.cc.
        raise WarmupError(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}: record fewer")
    return records


def _records(file: Path) -> Iterator[bytes]:
    import tensorflow as tf

    try:
        yield from tf.data.TFRecordDataset(str(file)).take(MAX_RECORDS + 1).as_numpy_iterator()
    except tf.errors.OpError as error:
        raise WarmupError(f"{file} is not a complete TFRecord file: {REMEDY}") from error
