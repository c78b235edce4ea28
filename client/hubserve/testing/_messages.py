"""Make the messages of a fake server's answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ..wire import tensor_pb2
from ..wire.metadata_pb2 import GetModelMetadataResponse, SignatureDefMap
from ..wire.predict_pb2 import PredictRequest, PredictResponse
from ..wire.status_pb2 import GetModelStatusResponse
from ..wire.tensor_pb2 import TensorProto

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Labels with their scores, best first; or the model's status of an image that it cannot decode (1 or 2).
Classify: TypeAlias = "Callable[[bytes], Mapping[str, float] | int]"
Featurize: TypeAlias = "Callable[[bytes], Sequence[float]]"
Predict: TypeAlias = "Callable[[str, dict[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]"


def classified(images: Sequence[bytes], classify: Classify) -> PredictResponse:
    """Return a classifier's outputs of `serving_default`; labels are numbered in their order in an answer."""
    answers = [classify(image) for image in images]
    width = max((len(answer) for answer in answers if not isinstance(answer, int)), default=1)
    response = PredictResponse()
    status = _tensor(response, "status", tensor_pb2.DT_INT32, len(images))
    ids = _tensor(response, "class_ids", tensor_pb2.DT_INT32, len(images), width)
    labels = _tensor(response, "labels", tensor_pb2.DT_STRING, len(images), width)
    scores = _tensor(response, "scores", tensor_pb2.DT_FLOAT, len(images), width)
    for answer in answers:
        classes = {} if isinstance(answer, int) else answer
        missing = width - len(classes)
        status.int_val.append(answer if isinstance(answer, int) else 0)
        ids.int_val.extend([*range(len(classes)), *[-1] * missing])
        labels.string_val.extend([*(label.encode() for label in classes), *[b""] * missing])
        scores.float_val.extend([*classes.values(), *[0.0] * missing])
    return response


def featurized(images: Sequence[bytes], featurize: Featurize) -> PredictResponse:
    """Return the outputs of `serving_default` of a feature-vector model."""
    vectors = [featurize(image) for image in images]
    response = PredictResponse()
    _tensor(response, "status", tensor_pb2.DT_INT32, len(images)).int_val.extend([0] * len(images))
    width = len(vectors[0]) if vectors else 0
    tensor = _tensor(response, "feature_vector", tensor_pb2.DT_FLOAT, len(images), width)
    for vector in vectors:
        tensor.float_val.extend(vector)
    return response


def predicted(request: PredictRequest, predict: Predict) -> PredictResponse:
    """Return the outputs of any function of arrays; numpy is needed here."""
    from ..wire.arrays import to_array, to_tensor

    inputs = {name: to_array(tensor) for name, tensor in request.inputs.items()}
    outputs = predict(request.model_spec.signature_name, inputs)
    kept = request.output_filter or outputs
    return PredictResponse(outputs={name: to_tensor(name, outputs[name]) for name in kept})


def described(model: str, version: int, *, features: bool, input_size: int | None) -> GetModelMetadataResponse:
    """Return the signature `serving_default` of a model, and the input size of the signature `images`."""
    signatures = SignatureDefMap()
    signature = signatures.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    signature.inputs["image_bytes"].dtype = tensor_pb2.DT_STRING
    signature.inputs["image_bytes"].tensor_shape.dim.add(size=-1)
    outputs = {"status": (tensor_pb2.DT_INT32, 1)}
    if features:
        outputs["feature_vector"] = (tensor_pb2.DT_FLOAT, 2)
    else:
        outputs |= {
            "class_ids": (tensor_pb2.DT_INT32, 2),
            "labels": (tensor_pb2.DT_STRING, 2),
            "scores": (tensor_pb2.DT_FLOAT, 2),
        }
    for name, (dtype, rank) in outputs.items():
        signature.outputs[name].dtype = dtype
        for _ in range(rank):
            signature.outputs[name].tensor_shape.dim.add(size=-1)
    if input_size is not None:
        pixels = signatures.signature_def["images"].inputs["images"]
        pixels.dtype = tensor_pb2.DT_FLOAT
        for size in (-1, input_size, input_size, 3):
            pixels.tensor_shape.dim.add(size=size)
    response = GetModelMetadataResponse()
    response.model_spec.name = model
    response.model_spec.version.value = version
    response.metadata["signature_def"].type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    response.metadata["signature_def"].value = signatures.SerializeToString()
    return response


def state(version: int, *, ready: bool) -> GetModelStatusResponse:
    """Return the one version, AVAILABLE or still LOADING."""
    response = GetModelStatusResponse()
    response.model_version_status.add(version=version, state=30 if ready else 20)
    return response


def _tensor(response: PredictResponse, name: str, dtype: tensor_pb2.DataType, *shape: int) -> TensorProto:
    tensor = response.outputs[name]
    tensor.dtype = dtype
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor
