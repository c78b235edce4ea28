"""Warm-up: the requests recorded with the model are replayed, so that no caller meets a cold model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from ._classify import classify
from ._errors import LoadError, RequestError
from ._predict import predict

if TYPE_CHECKING:
    from pathlib import Path

    from ._servable import Servable

_FILE = "assets.extra/tf_serving_warmup_requests"
_MOST_RECORDS = 1000


def read_warmup(version_directory: Path) -> list[prediction_log_pb2.PredictionLog]:
    """Read the recorded requests; an empty list where there is no file.

    Raises:
        LoadError: The file is no TFRecord file of PredictionLogs, or has more than a thousand.
    """
    file = version_directory / _FILE
    if not file.is_file():
        return []
    try:
        logs = [
            prediction_log_pb2.PredictionLog.FromString(record)
            for record in tf.data.TFRecordDataset(str(file)).take(_MOST_RECORDS + 1).as_numpy_iterator()
        ]
    except tf.errors.OpError as error:
        raise LoadError(f"{file} is not a whole TFRecord file: {_REMEDY}") from error
    except DecodeError as error:
        raise LoadError(f"{file} holds a record that is no PredictionLog: {_REMEDY}") from error
    if len(logs) > _MOST_RECORDS:
        raise LoadError(
            # In the words of saved_model_warmup_util.cc.
            f"Number of warmup records exceeds the maximum ({_MOST_RECORDS}) at {file}: record fewer"
        )
    return logs


_REMEDY = "export the model again, or remove the file to serve without warm-up"


def replay(servable: Servable, logs: list[prediction_log_pb2.PredictionLog]) -> None:
    """Answer the recorded requests, and forget the answers.

    Raises:
        LoadError: A request failed; what the model cannot answer now it could not answer later.
    """
    for number, log in enumerate(logs, 1):
        try:
            _replay(servable, log)
        except RequestError as error:
            raise LoadError(
                f"warm-up record {number} of {servable.name} version {servable.version} fails ({error}): {_REMEDY}"
            ) from error


def _replay(servable: Servable, log: prediction_log_pb2.PredictionLog) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        predict(servable, log.predict_log.request)
    elif kind == "classify_log":
        classify(servable, log.classify_log.request)
    elif kind is not None:
        raise RequestError(grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
