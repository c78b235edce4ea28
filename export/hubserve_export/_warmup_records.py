"""Write a version's warm-up records: requests that a server runs before it serves the version."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

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
        only_size: The record differs from earlier ones of its signature by the size of its batch alone.
    """

    signature: str
    images: tuple[bytes, ...]
    only_size: bool = False


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
    one image for each of the `others`. The last images of one larger batch are also the `others`, which needs no
    additional run of the model: the smallest batch that has room for them besides a JPEG, so that it runs quickly. The
    last image of each other batch is the JPEG among them, because batches of only JPEGs, which are most, take another
    path.

    A GPU prepares kernels for each batch size. A CPU does not (`benchmarks/startup.py` measures it), so the records
    that add only a size are marked, and the embedded engine leaves them out on a machine without a GPU.

    Args:
        images: Real encoded images, at least one; repeated to fill the batches.
        batch_sizes: Ascending.
        signatures: The signatures that take encoded images, the most common first.
        warmup: "serving_default" warms up the first signature whole, and runs each other signature once, with the
            smallest batch; "all" warms up each signature whole; "none" has no records.
    """
    if warmup == NONE:
        return []
    mixed = _mixed_size(batch_sizes)
    smallest, *larger = [Record("", _batch(images, size, size == mixed)) for size in batch_sizes]
    alone = [Record("", (image,)) for image in others()] if len(smallest.images) == 1 else []
    # The first larger batch takes another path than one image, and the mixed batch reads all formats.
    new = {len(record.images) for record in larger[: len(alone) > 0]} | {mixed}
    larger = [dataclasses.replace(record, only_size=len(record.images) not in new) for record in larger]
    whole = len(signatures) if warmup == ALL else 1
    return [
        dataclasses.replace(record, signature=signature)
        for place, signature in enumerate(signatures)
        for record in (smallest, *(([*alone, *larger]) if place < whole else []))
    ]


def of_each_kind(records: Sequence[Record], model_batch: int = 1) -> list[Record]:
    """Return records whose batches differ in kind: of one image, of the smallest larger size, and of all formats.

    A version that answers these also answers other sizes: a graph does not depend on the number of its images, except
    that one image is decoded in another way than several, and a batch of only JPEGs in another way than others. The
    batch of all formats also has an image twice, so that copies are compared.

    Args:
        records: The warm-up records of a version.
        model_batch: How many images the model itself takes at once, if it takes only so many. A larger batch is then
            divided, which is another kind.
    """
    sizes = sorted({len(record.images) for record in records})
    found = [record for record in records if len(record.images) in sizes[:2]]
    # Beside all formats there is a JPEG twice, and another one between its copies.
    least = max(len(others()) + 3, model_batch + 1)
    large = next((size for size in sizes[2:] if size >= least), sizes[-1])
    if large not in sizes[2:]:
        return found
    for record in records:
        if len(record.images) == large:
            images = [*record.images[: -len(others())], *others()][-large:]
            if large >= len(others()) + 3:
                images[large - len(others()) - 1] = images[0]
            found.append(dataclasses.replace(record, images=tuple(images)))
    return found


def _mixed_size(batch_sizes: Sequence[int]) -> int:
    """Return the size of the batch that holds all formats: the smallest with room, else the largest; 0 for none."""
    larger = [size for size in batch_sizes if size > 1]
    # The smallest batch of several images holds JPEGs only, if there is another.
    return next((size for size in larger[1:] if size > len(others())), larger[-1]) if len(larger) > 1 else 0


def _batch(images: Sequence[bytes], size: int, mixed: bool) -> tuple[bytes, ...]:
    """Fill a batch; if it has several images, end it with one or all of the other kinds of image file."""
    batch = list(itertools.islice(itertools.cycle(images), size))
    if size > 1:
        last = others()[-size:] if mixed else others()[-1:]
        batch[-len(last) :] = last
    return tuple(batch)


def described(records: Sequence[Record]) -> dict[str, Any]:
    """Describe the records for the manifest: how many there are, and which add only a batch size, counted from 1."""
    return {
        "records": len(records),
        "only_sizes": [number for number, record in enumerate(records, 1) if record.only_size],
    }


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
