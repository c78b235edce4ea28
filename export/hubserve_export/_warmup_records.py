"""Write a version's warm-up records: requests that a server runs before it serves the version."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, predict_pb2, prediction_log_pb2

from hubserve_model.warmup import FILE, MAX_RECORDS

from ._errors import OutputError
from ._options import ALL, NONE, SERVING_DEFAULT


@dataclass(frozen=True)
class Record:
    """Hold a request that a server runs before the first one from outside.

    Attributes:
        signature: The name of the signature.
        images: The batch: encoded images.
    """

    signature: str
    images: tuple[bytes, ...]


def check_batch_sizes(batch_sizes: Sequence[int], signatures: Sequence[str], warmup: str = SERVING_DEFAULT) -> None:
    """Refuse more batch sizes than a warm-up file can have records for.

    Raises:
        OutputError: There are too many batch sizes.
    """
    most = MAX_RECORDS - len(others()) - len(signatures[1:])
    if warmup == ALL:
        most = MAX_RECORDS // len(signatures) - len(others())
    if warmup != NONE and len(batch_sizes) > most:
        raise OutputError(
            f"`batch_sizes` has {len(batch_sizes)} sizes, and TensorFlow Serving takes at most {MAX_RECORDS} warm-up "
            f"records; give at most {most} sizes"
        )


def others() -> list[bytes]:
    """Return a small image as BMP, GIF, PNG and WebP, and last a large progressive JPEG with an EXIF orientation."""
    shipped = resources.files("hubserve_export") / "data" / "formats"
    return [file.read_bytes() for file in sorted(shipped.iterdir(), key=lambda file: file.name)]


def plan(
    images: Sequence[bytes], batch_sizes: Sequence[int], signatures: Sequence[str], warmup: str = SERVING_DEFAULT
) -> list[Record]:
    """Return the warm-up records of a version: the batches that a server runs before the first request.

    A record of k images warms up exactly the batch of k, because TF Serving replays records one at a time, through its
    batching.

    TensorFlow prepares the decoding of a format at its first use, separately in each signature, and separately for a
    batch of one image and for larger ones. The same is true for features that many JPEGs do not have: EXIF, several
    scans, scaled decoding. So a signature that is warmed up whole gets a record for each batch size, and a record with
    one image for each of the `others`. The last images of the largest batch are also the `others`, which needs no
    additional run of the model. The last image of a smaller batch is the JPEG among them, because batches of only
    JPEGs, which are most, take another path.

    Args:
        images: Real encoded images, at least one; repeated to fill the batches.
        batch_sizes: Ascending.
        signatures: The signatures that take encoded images, the most common first.
        warmup: "serving_default" warms up the first signature whole, and runs each other signature once, with the
            smallest batch; "all" warms up each signature whole; "none" has no records.
    """
    if warmup == NONE:
        return []
    smallest, *larger = [_batch(images, size, batch_sizes) for size in batch_sizes]
    alone = [(image,) for image in others()] if len(smallest) == 1 else []
    whole = len(signatures) if warmup == ALL else 1
    return [
        *(Record(signature, batch) for signature in signatures[:whole] for batch in (smallest, *alone, *larger)),
        *(Record(signature, smallest) for signature in signatures[whole:]),
    ]


def _batch(images: Sequence[bytes], size: int, batch_sizes: Sequence[int]) -> tuple[bytes, ...]:
    """Fill a batch, and end it with one or all of the other kinds of image file."""
    batch = list(itertools.islice(itertools.cycle(images), size))
    if size > 1:
        larger = [size for size in batch_sizes if size > 1]
        mixed = size == larger[-1] and len(larger) > 1
        last = others()[-size:] if mixed else others()[-1:]
        batch[-len(last) :] = last
    return tuple(batch)


def write_warmup(folder: Path, records: Sequence[Record]) -> None:
    """Write the warm-up file of a version; without records there is none.

    Args:
        folder: The version's folder.
        records: The records, in the order in which a server replays them.
    """
    if not records:
        return
    file = folder / FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(_log(record.signature, record.images).SerializeToString())


def _log(signature: str, batch: Sequence[bytes]) -> prediction_log_pb2.PredictionLog:
    return _classify_log(batch) if signature == "classify" else _predict_log(signature, batch)


def _predict_log(signature: str, batch: Sequence[bytes]) -> prediction_log_pb2.PredictionLog:
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(batch, tf.string, [len(batch)]))
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))


def _classify_log(batch: Sequence[bytes]) -> prediction_log_pb2.PredictionLog:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.signature_name = "classify"
    request.input.example_list.examples.extend(map(example, batch))
    return prediction_log_pb2.PredictionLog(classify_log=prediction_log_pb2.ClassifyLog(request=request))


def example(image: bytes) -> tf.train.Example:
    """Return the tf.Example that `classify` takes for an encoded image."""
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    return tf.train.Example(features=tf.train.Features(feature={"image/encoded": feature}))
