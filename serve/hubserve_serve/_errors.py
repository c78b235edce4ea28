"""Define the errors of serving, named by what to do next.

ServeError
├── ModelDirectoryError   there is no such version to serve: another MODEL_DIR or --version
├── LoadError             the version is there but cannot be served: mend it, or export it again
├── SessionConfigError    the session config cannot be read: mend the file
├── EngineError           the engine cannot run here: install what it names, or choose another --engine
├── ServerEndedError      the model server ended, or can never serve: mend what its own last words name
├── AddressError          the port cannot be opened: another --host or --port
└── RequestError          one caller's request cannot be answered: the caller is told, by gRPC code and words
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc


class ServeError(Exception):
    """The root of all that serving raises on purpose. Its text is one sentence that names the thing and the remedy."""


class ModelDirectoryError(ServeError):
    """The model directory, or the version asked for, is not there."""


class LoadError(ServeError):
    """The version cannot be loaded, or cannot be warmed up."""


class SessionConfigError(ServeError):
    """The session config cannot be read."""


class EngineError(ServeError):
    """The engine that is to run the model is not on this machine, or is not what it has to be."""


class ServerEndedError(ServeError):
    """The program that served the model ended by itself, or said that it will never serve it."""


class AddressError(ServeError):
    """The server cannot listen at the address."""


class RequestError(ServeError):
    """A request cannot be answered.

    Attributes:
        code: The gRPC status code that the caller gets.
        words: The status message that the caller gets; TF Serving's own words wherever it has any.
    """

    def __init__(self, code: grpc.StatusCode, words: str) -> None:
        super().__init__(f"{code.name}: {words}")
        self.code = code
        self.words = words


def invalid(words: str) -> RequestError:
    """Return the error of a request that is wrong in itself, in TF Serving's words wherever it has any."""
    import grpc

    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, words)
