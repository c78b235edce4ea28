"""Write the warm-up records of a version: what a server answers before the first request."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, predict_pb2, prediction_log_pb2

from hubserve_model.warmup import FILE, MAX_RECORDS

from ._errors import OutputError


def check_batch_sizes(batch_sizes: Sequence[int], signatures: Sequence[str]) -> None:
    """Refuse more batch sizes than a warm-up file can have records for.

    Raises:
        OutputError: There are too many.
    """
    most = MAX_RECORDS // len(signatures) - len(others())
    if len(batch_sizes) > most:
        raise OutputError(
            f"`batch_sizes` has {len(batch_sizes)} sizes, and TensorFlow Serving takes {MAX_RECORDS} warm-up records, "
            f"{len(signatures)} for each size; give {most} at most"
        )


def others() -> list[bytes]:
    """Return a small image as BMP, GIF, PNG and WebP, and at last a large progressive JPEG that lies on its side."""
    shipped = resources.files("hubserve_export") / "data" / "formats"
    return [file.read_bytes() for file in sorted(shipped.iterdir(), key=lambda file: file.name)]


def write_warmup(folder: Path, images: Sequence[bytes], batch_sizes: Sequence[int], signatures: Sequence[str]) -> None:
    """Write one warm-up record per batch size and signature that takes encoded images, and some for other formats.

    A record of k images warms up exactly the batch of k, because TF Serving replays records one at a time, through its
    batching.

    TensorFlow sets up the decoding of a format when it is first used, in each signature, and apart for a batch of one
    image and for larger ones; and so for what many JPEGs do not need: EXIF, several scans, decoding at a part of the
    size. So each signature gets a record of one image for each of the `others`. The last images of the largest batch
    are the `others` too, which costs no run of the model more. The last image of a smaller batch is the JPEG among
    them: batches of JPEGs alone, as nearly all are, have a way of their own.

    Args:
        folder: The version's folder.
        images: Real encoded images, at least one; repeated to fill the batches.
        batch_sizes: Ascending.
        signatures: Those that take encoded images, the commonest first.
    """
    besides = others()
    larger = [size for size in batch_sizes if size > 1]
    file = folder / FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for size in batch_sizes:
            batch = list(itertools.islice(itertools.cycle(images), size))
            if size > 1:
                mixed = len(larger) > 1 and size == larger[-1]
                last = besides[-size:] if mixed else besides[-1:]
                batch[-len(last) :] = last
            for signature in signatures:
                for images_of_a_record in [batch, *([image] for image in besides if size == 1)]:
                    log = _log(signature, images_of_a_record)
                    writer.write(log.SerializeToString())


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
    for image in batch:
        example = request.input.example_list.examples.add()
        example.features.feature["image/encoded"].bytes_list.value.append(image)
    return prediction_log_pb2.PredictionLog(classify_log=prediction_log_pb2.ClassifyLog(request=request))
