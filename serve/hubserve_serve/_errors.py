"""The errors of serving, named by what to do next.

ServeError
├── ModelDirectoryError   there is no such version to serve: give another MODEL_DIR or --version
├── LoadError             the version is there but cannot be served: fix it, or export it again
├── SessionConfigError    the session config cannot be read: fix the file
├── EngineError           the engine cannot run here: install what the message names, or choose another --engine
├── ServerEndedError      the model server ended, or can never serve: fix what its last message names
├── AddressError          the port cannot be opened: give another --host or --port
└── RequestError          one request cannot be answered: its caller gets the gRPC code and the message
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc


class ServeError(Exception):
    """The base class of all errors of serving. The message is one sentence that names the thing and the remedy."""


class ModelDirectoryError(ServeError):
    """The model directory, or the requested version, is missing."""


class LoadError(ServeError):
    """The version cannot be loaded, or cannot be warmed up."""


class SessionConfigError(ServeError):
    """The session config cannot be read."""


class EngineError(ServeError):
    """The engine is not available on this machine, or is not what it should be."""


class ServerEndedError(ServeError):
    """The program that served the model ended unexpectedly, or reported that it will never serve the model."""


class AddressError(ServeError):
    """The server cannot listen at the address."""


class RequestError(ServeError):
    """A request cannot be answered.

    Attributes:
        code: The gRPC status code that the caller gets.
        words: The status message that the caller gets; TF Serving's own message where it has one.
    """

    def __init__(self, code: grpc.StatusCode, words: str) -> None:
        super().__init__(f"{code.name}: {words}")
        self.code = code
        self.words = words


def invalid(words: str) -> RequestError:
    """Return the error for a wrong request, with TF Serving's own message where it has one."""
    import grpc

    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, words)
