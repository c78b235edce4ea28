"""Everything that hubserve raises on purpose, by what the caller does next.

HubserveError
├── UsageError              the call itself is wrong: change the program (also a ValueError)
├── ImageError              this image cannot be sent: mend it, or leave it out
├── UnsuitableModel         the model does not give what was asked: use another verb or another model
├── MalformedAnswer         the answer makes no sense: look at the model, or at what serves it
├── ModelNotReady           the server knows the model but does not serve it yet: wait longer, or read its reason
└── CallError               the server, or the way to it, failed the call; has .code and .details
    ├── ServerUnavailable   nobody answers: is it running, is the address right? Trying again may help
    ├── ServerBusy          it has too much to do: try again later, send less at a time
    ├── DeadlineExceeded    it took too long: allow more time, send smaller batches
    ├── ModelNotFound       it has no such model, version or label: correct the name
    ├── InvalidRequest      it refuses the request: change what is sent
    ├── AccessDenied        it does not let this caller in: bring other credentials
    ├── NotAModelServer     something else listens there: correct the address
    ├── ServerFailed        it broke: look in its log
    └── ClientClosed        this client was closed: keep it open until the last answer is read
"""

# The names say what is the matter; an Error at the end of each would say nothing more.
# ruff: noqa: N818

import textwrap
from dataclasses import dataclass

import grpc

_Code = grpc.StatusCode


class HubserveError(Exception):
    """The root: whatever else goes wrong in hubserve's client is a defect of it."""


class UsageError(HubserveError, ValueError):
    """The call itself is wrong; no server was asked."""


class ImageError(HubserveError):
    """An image could not be read or encoded; it was not sent."""


class UnsuitableModel(HubserveError):
    """The model answered, but has not the outputs that the call is about."""


class MalformedAnswer(HubserveError):
    """The server's answer contradicts itself, the request, or the model directory's format."""


class ModelNotReady(HubserveError):
    """The server knows the model, and does not serve it yet."""


class CallError(HubserveError):
    """A call to the server failed.

    Attributes:
        code: gRPC's status code.
        details: The server's own words (gRPC's, where the server was not reached), whole.
    """

    def __init__(self, text: str, code: grpc.StatusCode = _Code.UNKNOWN, details: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.details = details


class ServerUnavailable(CallError):
    """No server answers at the target, or the connection to it broke."""


class ServerBusy(CallError):
    """The server has no room for the request now."""


class DeadlineExceeded(CallError):
    """The answer did not come in time."""


class ModelNotFound(CallError):
    """The server does not serve this model, version or version label."""


class InvalidRequest(CallError):
    """The server refuses the request as it is."""


class AccessDenied(CallError):
    """The server does not let this caller in."""


class NotAModelServer(CallError):
    """What listens at the target does not speak TF Serving's protocol."""


class ServerFailed(CallError):
    """The server broke while it worked on the request."""


class ClientClosed(CallError):
    """The client was closed before or during the call."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """`_Rule(code, words, kind, text)`: a failure with this code whose details contain the words is of this kind."""

    code: grpc.StatusCode
    words: str
    kind: type[CallError]
    text: str


_UNSERVED = "{target} does not serve {model}: correct the name, version or label, or ask client.status() what it has"
_BUSY = "{target} has no room for the request: try again later, or send less at once"
_REFUSED = "{target} refuses the request for {model}: compare it with what client.metadata() says the model takes"
_TOO_LARGE = "{target} takes no message as large as this request: make max_batch_bytes or max_batch_size smaller"
_BROKE = "{target} failed while answering for {model}: look in the server's log"

# The first rule that fits decides; "" fits any words. The words are TF Serving 2.20's and gRPC's, where one of their
# codes means several things.
_RULES = (
    _Rule(_Code.UNAVAILABLE, "batch scheduling queue", ServerBusy, _BUSY),
    _Rule(
        _Code.UNAVAILABLE,
        "",
        ServerUnavailable,
        "no answer from {target}: check that a model server runs there and that the address is right",
    ),
    _Rule(_Code.RESOURCE_EXHAUSTED, "message larger than max", InvalidRequest, _TOO_LARGE),
    _Rule(_Code.RESOURCE_EXHAUSTED, "", ServerBusy, _BUSY),
    _Rule(
        _Code.INTERNAL,
        "serializing request",
        InvalidRequest,
        "the request for {model} is larger than a message can be (2 GiB): split it",
    ),
    _Rule(
        _Code.DEADLINE_EXCEEDED,
        "",
        DeadlineExceeded,
        "{target} did not answer for {model} in time: give a longer timeout, or send smaller batches",
    ),
    _Rule(_Code.NOT_FOUND, "", ModelNotFound, _UNSERVED),
    _Rule(_Code.INVALID_ARGUMENT, "Unrecognized servable version label", ModelNotFound, _UNSERVED),
    _Rule(
        _Code.INVALID_ARGUMENT,
        "larger than maximum input batch size",
        InvalidRequest,
        "{target} takes no batch as large as this one for {model}: make max_batch_size smaller",
    ),
    _Rule(_Code.INVALID_ARGUMENT, "", InvalidRequest, _REFUSED),
    _Rule(_Code.FAILED_PRECONDITION, "", InvalidRequest, _REFUSED),
    _Rule(_Code.OUT_OF_RANGE, "", InvalidRequest, _REFUSED),
    _Rule(_Code.UNAUTHENTICATED, "", AccessDenied, "{target} wants to know who calls: give credentials"),
    _Rule(_Code.PERMISSION_DENIED, "", AccessDenied, "{target} does not let this caller use {model}: ask its keeper"),
    _Rule(
        _Code.UNIMPLEMENTED,
        "",
        NotAModelServer,
        "what listens at {target} is no TF Serving: check the address (its gRPC port is usually 8500)",
    ),
    _Rule(
        _Code.CANCELLED,
        "Channel closed",
        ClientClosed,
        "the client of {target} was closed: keep it open until the last answer is read",
    ),
)


def call_error(code: grpc.StatusCode, details: str | None, *, target: str, model: str) -> CallError:
    """Makes the error for a call that gRPC reports as failed.

    Args:
        code: gRPC's status code.
        details: The words that came with it.
        target: Where the call went.
        model: The model in words, such as `model pnasnet, version 3`.
    """
    details = details or ""
    for rule in _RULES:
        if rule.code is code and rule.words in details:
            kind, text = rule.kind, rule.text
            break
    else:
        kind, text = ServerFailed, _BROKE
    reason = textwrap.shorten(f"{code.name}: {details}", 300, placeholder=" ...")
    return kind(f"{text.format(target=target, model=model)} ({reason})", code, details)
