"""Deploy TensorFlow Hub image models on TensorFlow Serving, and ask them for answers over gRPC."""

from ._client import Client
from ._errors import (
    AccessDenied,
    CallError,
    ClientClosed,
    DeadlineExceeded,
    HubserveError,
    ImageError,
    InvalidRequest,
    MalformedAnswer,
    ModelNotFound,
    ModelNotReady,
    NotAModelServer,
    ServerBusy,
    ServerFailed,
    ServerUnavailable,
    UnsuitableModel,
    UsageError,
)
from ._images import ImageLike
from ._results import Classification, ClassScore, Features, ImageResult
from ._servable import ModelMetadata, Signature, TensorSpec, VersionState, VersionStatus
from ._version import __version__

__all__ = [
    "AccessDenied",
    "CallError",
    "ClassScore",
    "Classification",
    "Client",
    "ClientClosed",
    "DeadlineExceeded",
    "Features",
    "HubserveError",
    "ImageError",
    "ImageLike",
    "ImageResult",
    "InvalidRequest",
    "MalformedAnswer",
    "ModelMetadata",
    "ModelNotFound",
    "ModelNotReady",
    "NotAModelServer",
    "ServerBusy",
    "ServerFailed",
    "ServerUnavailable",
    "Signature",
    "TensorSpec",
    "UnsuitableModel",
    "UsageError",
    "VersionState",
    "VersionStatus",
    "__version__",
]
