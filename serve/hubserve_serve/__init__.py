"""Run a model directory on this machine, as TensorFlow Serving would.

from hubserve_serve import EmbeddedServer

with EmbeddedServer("models/pnasnet") as server:
    channel = grpc.insecure_channel(server.target)
"""

from typing import TYPE_CHECKING

from ._errors import (
    AddressError,
    EngineError,
    LoadError,
    ModelDirectoryError,
    RequestError,
    ServeError,
    ServerEndedError,
    SessionConfigError,
)

if TYPE_CHECKING:
    from ._embedded_server import EmbeddedServer

__all__ = [
    "AddressError",
    "EmbeddedServer",
    "EngineError",
    "LoadError",
    "ModelDirectoryError",
    "RequestError",
    "ServeError",
    "ServerEndedError",
    "SessionConfigError",
]


def __getattr__(name: str) -> object:
    # TensorFlow takes seconds to import. Programs that need only the errors, and --help, do not wait for it.
    if name == "EmbeddedServer":
        from ._embedded_server import EmbeddedServer

        return EmbeddedServer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
