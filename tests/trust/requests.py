"""Seeded hostile calls: `hostile_call(seed, number)` is always the same method and bytes, or bytes for a socket."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import classification_pb2, get_model_metadata_pb2

from conformance.raw_http2 import PREDICT, call_bytes
from serve.calls import request, status_request
from trust.mutations import EDGES, Chance, mutate

_CLASSIFY = "/tensorflow.serving.PredictionService/Classify"
_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"


@dataclass(frozen=True)
class HostileCall:
    """A message to a method, or to the socket if the method is None; `held`: nothing more is sent for a while."""

    strategy: str
    method: str | None
    data: bytes
    held: bool = False


def hostile_call(seed: int, number: int) -> HostileCall:
    """One call."""
    chance = Chance(f"{seed}/{number}")
    method, message = _base(chance)
    data = message.SerializeToString(deterministic=True)
    strategy = chance.choices(["bytes", "fields", "noise", "HTTP/2", "slow"], [8, 8, 2, 2, 1])[0]
    match strategy:
        case "bytes":
            return HostileCall(strategy, method, mutate(chance, data))
        case "fields":
            predict = _predict(chance)
            _change(chance, predict)
            return HostileCall(strategy, PREDICT, predict.SerializeToString(deterministic=True))
        case "noise":
            return HostileCall(strategy, method, chance.randbytes(chance.randrange(500)))
        case "HTTP/2":
            stream = call_bytes("h", method, len(data), data)
            return HostileCall(strategy, None, mutate(chance, stream))
        case _:
            # A call that is begun, and goes no further.
            return HostileCall(strategy, None, call_bytes("h", method, 2**20, data[: chance.randint(0, 40)]), held=True)


def _predict(chance: Chance):
    images = [chance.randbytes(chance.randrange(50)) for _ in range(chance.randrange(5))]
    if chance.random() < 0.3:
        pairs = np.zeros([chance.randrange(4), 2], np.float32)
        return request("subtract", a=pairs, b=pairs)
    if chance.random() < 0.1:
        return request("classify", inputs=images)
    return request(chance.choice(["", "serving_default", "echo", "failing", "none"]), image_bytes=images)


def _base(chance: Chance):
    match chance.randrange(6):
        case 0:
            message = classification_pb2.ClassificationRequest()
            message.model_spec.name, message.model_spec.signature_name = "toy", "classify"
            features = message.input.example_list.examples.add().features
            features.feature["image/encoded"].bytes_list.value.append(b"image")
            return _CLASSIFY, message
        case 1:
            message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
            message.model_spec.name = "toy"
            return _METADATA, message
        case 2:
            return _STATUS, status_request(version=1)
        case _:
            return PREDICT, _predict(chance)


def _change(chance: Chance, message) -> None:
    """One thing about a Predict request."""
    alias = chance.choice(sorted(message.inputs))
    tensor = message.inputs[alias]
    match chance.randrange(8):
        case 0:
            message.model_spec.name = chance.choice(["", "other", "\0", "toy" * 5000])
        case 1:
            message.model_spec.version.value = chance.choice([0, 1, -1, 2**63 - 1])
        case 2:
            message.model_spec.signature_name = chance.choice(["__saved_model_init_op", "\n", "x" * 5000])
        case 3:
            tensor.dtype = chance.choice(types_pb2.DataType.values())
        case 4:
            tensor.tensor_shape.dim.add(size=chance.choice([*EDGES, -(2**63), 2**62]))
        case 5:
            message.output_filter.extend(chance.choice([["labels"], ["labels"] * 50, [""], ["none"]]))
        case 6:
            message.inputs[chance.choice(["", "other"])].CopyFrom(tf.make_tensor_proto([1.0]))
        case _:
            tensor.tensor_content = chance.randbytes(chance.choice([1, 8, 1000]))
