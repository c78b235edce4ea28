"""Warm up: replay the requests recorded with the model, so that the first caller does not wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from hubserve_model import WarmupError
from hubserve_model.warmup import FILE, REMEDY, read_warmup

from ._classify import classify
from ._errors import LoadError, RequestError
from ._predict import predict

if TYPE_CHECKING:
    from pathlib import Path

    from ._servable import Servable


def recorded_requests(version_directory: Path) -> list[prediction_log_pb2.PredictionLog]:
    """Read the recorded requests; return an empty list if there is no file.

    Raises:
        LoadError: The file is not a TFRecord file of PredictionLogs, or has more than a thousand.
    """
    try:
        return list(map(prediction_log_pb2.PredictionLog.FromString, read_warmup(version_directory)))
    except WarmupError as error:
        raise LoadError(str(error)) from error
    except DecodeError as error:
        raise LoadError(f"{version_directory / FILE} holds a record that is not a PredictionLog: {REMEDY}") from error


def replay(servable: Servable, logs: list[prediction_log_pb2.PredictionLog]) -> None:
    """Answer the recorded requests, and drop the answers.

    Raises:
        LoadError: A request failed: the model could not answer it later either.
    """
    for number, log in enumerate(logs, 1):
        try:
            _replay(servable, log)
        except RequestError as error:
            raise LoadError(
                f"warm-up record {number} of {servable.name} version {servable.version} fails ({error}): {REMEDY}"
            ) from error


def _replay(servable: Servable, log: prediction_log_pb2.PredictionLog) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        predict(servable, log.predict_log.request)
    elif kind == "classify_log":
        classify(servable, log.classify_log.request)
    elif kind is not None:
        raise RequestError(grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
