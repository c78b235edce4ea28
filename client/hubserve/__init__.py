"""Deploy TensorFlow Hub image models on TensorFlow Serving, and call them over gRPC."""

import logging
from typing import TYPE_CHECKING

from . import _quiet_grpc  # noqa: F401 - before what imports gRPC
from ._batcher import Batcher
from ._client import Client
from ._errors import (
    AccessDenied,
    CallError,
    ClientClosed,
    DeadlineExceeded,
    HubserveError,
    ImageError,
    ImageTooSlow,
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
from ._images.encode import ImageLike
from ._results import Classification, ClassScore, Features, ImageResult
from ._schedule.retry import Retry
from ._settings import Settings
from ._shared_clients import shared_client
from ._transport.security import TLS
from ._version import __version__
from .wire.model_info import ModelMetadata, Signature, TensorSpec, VersionState, VersionStatus

if TYPE_CHECKING:
    from ._async_batcher import AsyncBatcher
    from ._async_client import AsyncClient
    from ._pandas_frame import to_pandas

# A program that wants hubserve's log adds a handler; without one, nothing is printed.
logging.getLogger("hubserve").addHandler(logging.NullHandler())

__all__ = [
    "TLS",
    "AccessDenied",
    "AsyncBatcher",
    "AsyncClient",
    "Batcher",
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
    "ImageTooSlow",
    "InvalidRequest",
    "MalformedAnswer",
    "ModelMetadata",
    "ModelNotFound",
    "ModelNotReady",
    "NotAModelServer",
    "Retry",
    "ServerBusy",
    "ServerFailed",
    "ServerUnavailable",
    "Settings",
    "Signature",
    "TensorSpec",
    "UnsuitableModel",
    "UsageError",
    "VersionState",
    "VersionStatus",
    "__version__",
    "shared_client",
    "to_pandas",
]


def __getattr__(name: str) -> object:
    """Import what few programs need at its first use: the others do not pay for it."""
    if name == "AsyncClient":
        from ._async_client import AsyncClient

        return AsyncClient
    if name == "AsyncBatcher":
        from ._async_batcher import AsyncBatcher

        return AsyncBatcher
    if name == "to_pandas":
        from ._pandas_frame import to_pandas

        return to_pandas
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
