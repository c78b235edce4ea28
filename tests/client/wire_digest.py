"""Write and read every message and every type of array, and print what must be the same with each protobuf.

Run by `scripts/check-protobuf` in environments that have no TensorFlow; that the messages are TF Serving's is shown by
`compare_wire.py`.
"""

import hashlib
import importlib
import pkgutil

import numpy as np
from google.protobuf.message import Message

from hubserve import wire
from hubserve.wire.arrays import as_array, to_array, to_chunks
from hubserve.wire.metadata_pb2 import GetModelMetadataRequest, GetModelMetadataResponse, SignatureDefMap
from hubserve.wire.predict_pb2 import PredictRequest, PredictResponse
from hubserve.wire.status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from hubserve.wire.tensor_pb2 import TensorProto
from hubserve.wire.tensors import ELEMENTS
from hubserve.wire.writer import predict_request, strings

MESSAGES: list[type[Message]] = [
    PredictRequest,
    PredictResponse,
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
    GetModelStatusRequest,
    GetModelStatusResponse,
]


def fill(message: Message) -> None:
    """Puts values into every field, so that a field of another number or type changes the bytes."""
    for field in message.DESCRIPTOR.fields:
        values = getattr(message, field.name)
        if field.message_type is None:
            value = {
                field.TYPE_BYTES: b"\x00a\x00",
                field.TYPE_STRING: "text",
                field.TYPE_BOOL: True,
                field.TYPE_FLOAT: 0.25,
                field.TYPE_DOUBLE: -0.125,
                field.TYPE_ENUM: 10,
            }.get(field.type, 300 + field.number)
            if hasattr(values, "extend"):
                values.extend([value, value])
            else:
                setattr(message, field.name, value)
        elif field.message_type.GetOptions().map_entry:
            fill(values["key"])
        else:
            fill(values.add() if hasattr(values, "add") else values)


def filled(kind: type[Message]) -> Message:
    """A message with all its fields."""
    message = kind()
    fill(message)
    return message


def main() -> None:
    for module in pkgutil.iter_modules(wire.__path__):
        importlib.import_module(f"hubserve.wire.{module.name}")
    for kind in MESSAGES:
        message = filled(kind)
        data = message.SerializeToString(deterministic=True)
        assert kind.FromString(data) == message
        print(kind.__name__, hashlib.sha256(data).hexdigest())
    by_hand = PredictRequest.FromString(predict_request(b"", {"x": strings([b"\0a\0", bytes(200)])}, ["y"]))
    print("by hand", hashlib.sha256(by_hand.SerializeToString(deterministic=True)).hexdigest())
    for element in ELEMENTS.values():
        if element.name not in ("string", "bfloat16"):
            array = np.array([[0, 1], [2, 100]]).astype(element.name)
            tensor = TensorProto.FromString(b"".join(to_chunks(as_array("x", array))))
            np.testing.assert_array_equal(to_array(tensor), array)
    floats = TensorProto(dtype=1, float_val=[0.5, -2.0], tensor_shape={"dim": [{"size": 2}]})
    print("floats", to_array(TensorProto.FromString(floats.SerializeToString())).tolist())


if __name__ == "__main__":
    main()
