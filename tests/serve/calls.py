"""Calls to a server through tensorflow-serving-api's own stubs."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

PATIENCE = 60.0


class Caller:
    """One channel with the stubs of both services."""

    def __init__(self, target: str) -> None:
        self.channel = grpc.insecure_channel(target, [("grpc.max_receive_message_length", -1)])
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, signature: str = "", timeout: float = PATIENCE, **inputs) -> dict[str, np.ndarray]:
        response = self.prediction.Predict(request(signature, **inputs), timeout=timeout)
        return {alias: tf.make_ndarray(proto) for alias, proto in response.outputs.items()}


@contextlib.contextmanager
def calling(target: str) -> Iterator[Caller]:
    caller = Caller(target)
    with caller.channel:
        yield caller


def request(signature: str = "", model: str = "toy", **inputs) -> predict_pb2.PredictRequest:
    message = predict_pb2.PredictRequest()
    message.model_spec.name = model
    message.model_spec.signature_name = signature
    for alias, value in inputs.items():
        is_text = isinstance(value, list) and (not value or isinstance(value[0], bytes))
        message.inputs[alias].CopyFrom(tf.make_tensor_proto(value, tf.string if is_text else None))
    return message


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.02)


def status_request(model: str = "toy", version: int | None = None) -> get_model_status_pb2.GetModelStatusRequest:
    message = get_model_status_pb2.GetModelStatusRequest()
    message.model_spec.name = model
    if version is not None:
        message.model_spec.version.value = version
    return message


def predict_log(signature: str, **inputs) -> bytes:
    """A Predict request as a warm-up record; the model's name in it does not matter."""
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(request(signature, model="whatever", **inputs))
    return log.SerializeToString()


def write_warmup(version_directory: Path, *logs: bytes) -> Path:
    file = version_directory / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for log in logs:
            writer.write(log)
    return file
