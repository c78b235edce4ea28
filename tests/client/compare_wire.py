"""Compare our messages with tensorflow-serving-api's in this process; the argument says which are imported first."""

import importlib
import pathlib
import pkgutil
import sys
from collections.abc import Callable
from typing import Any

OURS = ["hubserve.wire.predict_pb2", "hubserve.wire.metadata_pb2", "hubserve.wire.status_pb2"]
THEIRS = [f"tensorflow_serving.apis.{name}_pb2" for name in ("predict", "get_model_metadata", "get_model_status")]

for name in OURS + THEIRS if sys.argv[1] == "ours" else THEIRS + OURS:
    importlib.import_module(name)

import tensorflow_serving.apis as serving  # noqa: E402
from google.protobuf.descriptor import Descriptor, FieldDescriptor  # noqa: E402
from google.protobuf.message import Message  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from tensorflow.core.framework import types_pb2  # noqa: E402

import hubserve.wire as wire  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from wire_digest import filled  # noqa: E402

PAIRS = [
    (wire.predict_pb2.PredictRequest, serving.predict_pb2.PredictRequest),
    (wire.predict_pb2.PredictResponse, serving.predict_pb2.PredictResponse),
    (wire.metadata_pb2.GetModelMetadataRequest, serving.get_model_metadata_pb2.GetModelMetadataRequest),
    (wire.metadata_pb2.GetModelMetadataResponse, serving.get_model_metadata_pb2.GetModelMetadataResponse),
    (wire.metadata_pb2.SignatureDefMap, serving.get_model_metadata_pb2.SignatureDefMap),
    (wire.status_pb2.GetModelStatusRequest, serving.get_model_status_pb2.GetModelStatusRequest),
    (wire.status_pb2.GetModelStatusResponse, serving.get_model_status_pb2.GetModelStatusResponse),
]
# What a field of each kind may hold; NaN is left out because it is not equal to itself.
SCALARS = {
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=20),
    FieldDescriptor.TYPE_STRING: st.text(max_size=20),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32, allow_nan=False),
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
}


def put(message: Message, descriptor: Descriptor, draw: Callable[[st.SearchStrategy], Any], depth: int = 5) -> None:
    """Sets some of the fields that `descriptor` has, in a message that has them too."""
    # TensorFlow's messages contain each other without end.
    fields = [field for field in descriptor.fields if field.message_type is None or depth]
    for field in draw(st.lists(st.sampled_from(fields), max_size=4, unique_by=lambda field: field.name)):
        count = draw(st.integers(0, 2)) if field.is_repeated else 1
        value = getattr(message, field.name)
        if field.message_type is None:
            # Not in protobuf's own enums alone: a newer server's are kept as numbers.
            values = [draw(SCALARS.get(field.type, st.integers(0, 30))) for _ in range(count)]
            if field.is_repeated:
                value.extend(values)
            else:
                setattr(message, field.name, values[0])
        elif field.message_type.GetOptions().map_entry:
            held = field.message_type.fields_by_name["value"]
            for key in draw(st.sets(st.text(max_size=10), max_size=count)):
                if held.message_type is None:
                    value[key] = draw(SCALARS[held.type])
                else:
                    put(value[key], held.message_type, draw, depth - 1)
        else:
            for _ in range(count):
                inner = value.add() if field.is_repeated else value
                inner.SetInParent()
                put(inner, field.message_type, draw, depth - 1)


def plain(message: Message) -> dict[str, Any]:
    """A message as Python values, for the classes of both packages."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.message_type is None:
            found[field.name] = list(value) if field.is_repeated else value
        elif field.message_type.GetOptions().map_entry:
            found[field.name] = {key: plain(value[key]) for key in value}
        else:
            found[field.name] = [plain(item) for item in value] if field.is_repeated else plain(value)
    return found


@settings(deadline=None, max_examples=30, database=None, derandomize=True)
@given(st.data())
def compare(ours: type[Message], theirs: type[Message], data: st.DataObject) -> None:
    """Each side reads the other's bytes as the same values, and unknown fields are kept."""
    for written, other in ((ours(), theirs), (theirs(), ours)):
        put(written, ours.DESCRIPTOR, data.draw)
        read = other.FromString(written.SerializeToString())
        assert plain(read) == plain(written)
        assert read.SerializeToString(deterministic=True) == written.SerializeToString(deterministic=True)
    richer = theirs()
    put(richer, theirs.DESCRIPTOR, data.draw)
    assert theirs.FromString(ours.FromString(richer.SerializeToString()).SerializeToString()) == richer


for ours, theirs in PAIRS:
    message = filled(ours)
    data = message.SerializeToString(deterministic=True)
    read = theirs.FromString(data)
    # What theirs did not recognise is gone now.
    read.DiscardUnknownFields()
    returned = read.SerializeToString(deterministic=True)
    assert data, theirs
    assert returned == data, theirs
    assert type(message).FromString(returned) == message, theirs
    compare(ours, theirs)
assert set(wire.tensor_pb2.DataType.items()) <= set(types_pb2.DataType.items())
assert set(wire.status_pb2.ModelVersionStatus.State.items()) == set(
    serving.get_model_status_pb2.ModelVersionStatus.State.items()
)
for name in (module.name for module in pkgutil.iter_modules(wire.__path__) if module.name.endswith("_pb2")):
    file = getattr(wire, name).DESCRIPTOR
    assert file.package == "hubserve.wire", file.name
    assert file.name.startswith("hubserve/wire/"), file.name
print(f"{len(PAIRS)} messages are the same")
