"""Compares our messages with tensorflow-serving-api's in this process; the argument says whose are imported first."""

import importlib
import pathlib
import pkgutil
import sys

OURS = ["hubserve.wire.predict_pb2", "hubserve.wire.metadata_pb2", "hubserve.wire.status_pb2"]
THEIRS = [f"tensorflow_serving.apis.{name}_pb2" for name in ("predict", "get_model_metadata", "get_model_status")]

for name in OURS + THEIRS if sys.argv[1] == "ours" else THEIRS + OURS:
    importlib.import_module(name)

import tensorflow_serving.apis as serving  # noqa: E402
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
messages = []
for ours, theirs in PAIRS:
    messages.append((filled(ours), theirs))
# Of a version and its label only one can be set; the loop above leaves the label.
by_number = wire.predict_pb2.PredictRequest()
by_number.model_spec.version.value = 3
messages.append((by_number, serving.predict_pb2.PredictRequest))

for message, theirs in messages:
    data = message.SerializeToString(deterministic=True)
    read = theirs.FromString(data)
    # What theirs did not recognise is gone now.
    read.DiscardUnknownFields()
    returned = read.SerializeToString(deterministic=True)
    assert data, theirs
    assert returned == data, theirs
    assert type(message).FromString(returned) == message, theirs
assert set(wire.tensor_pb2.DataType.items()) <= set(types_pb2.DataType.items())
assert set(wire.status_pb2.ModelVersionStatus.State.items()) == set(
    serving.get_model_status_pb2.ModelVersionStatus.State.items()
)
for module in pkgutil.iter_modules(wire.__path__):
    file = getattr(wire, module.name).DESCRIPTOR
    assert file.package == "hubserve.wire", file.name
    assert file.name.startswith("hubserve/wire/"), file.name
print(f"{len(messages)} messages are the same")
