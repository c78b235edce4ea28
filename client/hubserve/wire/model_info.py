"""Read a server's description of a model: its signatures, and its versions with their states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from google.protobuf.message import DecodeError

from .._errors import MalformedAnswer
from .metadata_pb2 import GetModelMetadataResponse, SignatureDef, SignatureDefMap, TensorInfo
from .status_pb2 import GetModelStatusResponse, ModelVersionStatus
from .tensors import dtype_name

# TensorFlow keeps its initializer among the signatures; it cannot be called.
_INIT_OP = "__saved_model_init_op"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of a signature: `TensorSpec(dtype="float32", shape=(None, 224, 224, 3))`.

    Attributes:
        dtype: numpy's name of the type, or `string`.
        shape: None for a dimension: each request chooses its size. None for all: any number of dimensions.
    """

    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Signature:
    """A function of the model, as called by `client.predict(inputs, signature=name)`.

    Attributes:
        inputs: The type and shape of each input.
        outputs: The type and shape of each output.
        method_name: The RPC of the signature, such as `tensorflow/serving/predict`.
    """

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method_name: str


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """A loaded model: `client.metadata().signatures["serving_default"].inputs`.

    Attributes:
        name: The model's name on the server.
        version: The version that is described.
        signatures: By name.
    """

    name: str
    version: int | None
    signatures: Mapping[str, Signature]


class VersionState(str, Enum):
    """The states of a version, in their order: `version.state is VersionState.AVAILABLE`."""

    UNKNOWN = "UNKNOWN"
    START = "START"
    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    UNLOADING = "UNLOADING"
    END = "END"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """A version that the server knows: `VersionStatus(version=3, state=VersionState.AVAILABLE, error=None)`.

    Attributes:
        version: The version's number.
        state: AVAILABLE answers requests; END with an error could not be loaded.
        error: The server's reason, if it gave one.
    """

    version: int
    state: VersionState
    error: str | None

    @property
    def available(self) -> bool:
        """Tell whether the version answers requests."""
        return self.state is VersionState.AVAILABLE

    def __str__(self) -> str:
        return f"version {self.version} is {self.state}" + (f" ({self.error})" if self.error else "")


def read_metadata(response: GetModelMetadataResponse) -> ModelMetadata:
    """Read the signatures.

    Raises:
        MalformedAnswer: The signatures cannot be read.
    """
    spec = response.model_spec
    try:
        signatures = SignatureDefMap.FromString(response.metadata["signature_def"].value).signature_def
    except DecodeError as error:
        raise MalformedAnswer(f"the server's description of model {spec.name} cannot be read") from error
    return ModelMetadata(
        name=spec.name,
        version=spec.version.value if spec.HasField("version") else None,
        signatures={name: _signature(signatures[name]) for name in sorted(signatures) if name != _INIT_OP},
    )


def read_status(response: GetModelStatusResponse) -> tuple[VersionStatus, ...]:
    """Read the versions, the newest first."""
    versions = (
        VersionStatus(
            version=status.version,
            state=_state(status.state),
            error=status.status.error_message or None,
        )
        for status in response.model_version_status
    )
    return tuple(sorted(versions, key=lambda status: -status.version))


def _state(state: int) -> VersionState:
    known = state in ModelVersionStatus.State.values()
    return VersionState[ModelVersionStatus.State.Name(state)] if known else VersionState.UNKNOWN


def _signature(signature: SignatureDef) -> Signature:
    return Signature(
        inputs={name: _spec(signature.inputs[name]) for name in sorted(signature.inputs)},
        outputs={name: _spec(signature.outputs[name]) for name in sorted(signature.outputs)},
        method_name=signature.method_name,
    )


def _spec(info: TensorInfo) -> TensorSpec:
    if info.tensor_shape.unknown_rank:
        return TensorSpec(dtype_name(info.dtype), None)
    return TensorSpec(
        dtype_name(info.dtype), tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
    )
