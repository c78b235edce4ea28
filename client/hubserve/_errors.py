"""Everything that hubserve raises on purpose, by what the caller does next.

HubserveError
├── UsageError              the call itself is wrong: change the program (also a ValueError)
├── ImageError              this image cannot be sent: fix it, or leave it out
├── UnsuitableModel         the model does not give what was asked: use another method or another model
├── MalformedAnswer         the answer makes no sense: check the model and the server
├── ModelNotReady           the server knows the model but does not serve it yet: wait longer, or read its reason
└── CallError               the server, or the way to it, failed the call; has .code and .details
    ├── ServerUnavailable   no answer: check that it runs and that the address is right; a retry may help
    ├── ServerBusy          it has too much to do: retry later, send less at a time
    ├── DeadlineExceeded    it took too long: allow more time, send smaller batches
    │   └── ImageTooSlow    it answers other images in time: look at this one
    ├── ModelNotFound       it has no such model, version or label: correct the name
    ├── InvalidRequest      it refuses the request: change what is sent
    ├── AccessDenied        it does not let this caller in: bring other credentials
    ├── NotAModelServer     it does not know the RPC: correct the address, or have the gateway let it through
    ├── ServerFailed        it failed: look in its log
    └── ClientClosed        this client was closed: keep it open until the last answer is read
"""

# The names say what is the matter; an Error at the end of each would say nothing more.
# ruff: noqa: N818

import textwrap
from enum import Enum

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


class Then(Enum):
    """Say what comes next for the images of a request that failed."""

    # It would fail again.
    REPORT = "report"
    # It may well succeed a little later: a prediction changes nothing on the server, so that it can always be repeated.
    RETRY = "retry"
    # The server had no room for it. It waits until there is room, and is sent again: see `hubserve._schedule.gate`.
    WAIT = "wait"
    # RETRY, if this client has had answers before: then the server is between two versions.
    RETRY_IF_MET = "retry if met"
    # Fewer images at once may succeed.
    SPLIT = "split"
    # The server merged it with a stranger's request of another dtype or shape: TensorFlow Serving merges first, and
    # checks after. What one client sends to one model in `classify` cannot differ so.
    NEIGHBOUR = "neighbour"
    # The server broke, perhaps on a request that it merged with this one: it is sent alone once more, and then judged.
    ALONE = "alone"
    # One of the images may be at fault; or a stranger's, which the server put into the same batch.
    SUSPECT = "suspect"


class CallError(HubserveError):
    """A call to the server failed.

    Attributes:
        code: gRPC's status code.
        details: The server's own words (gRPC's, where the server was not reached), whole.
    """

    def __init__(
        self, text: str, code: grpc.StatusCode = _Code.UNKNOWN, details: str = "", then: Then = Then.REPORT
    ) -> None:
        super().__init__(text)
        self.code = code
        self.details = details
        self._then = then


class ServerUnavailable(CallError):
    """No server answers at the target, or the connection to it broke."""


class ServerBusy(CallError):
    """The server has no room for the request now."""


class DeadlineExceeded(CallError):
    """The answer did not come in time."""


class ImageTooSlow(DeadlineExceeded):
    """The server answers other images, and twice did not answer this one in time."""

    @classmethod
    def of(cls, source: str, error: CallError) -> "ImageTooSlow":
        """Make the error of one image.

        Args:
            source: The image's name.
            error: The last timeout.
        """
        return cls(
            f"{source}: the server answers other images, and twice did not answer this one in time: look at the image, "
            "or give a longer timeout",
            error.code,
            error.details,
        )


class ModelNotFound(CallError):
    """The server does not serve this model, version or version label."""


class InvalidRequest(CallError):
    """The server refuses the request as it is."""


class AccessDenied(CallError):
    """The server does not let this caller in."""


class NotAModelServer(CallError):
    """The program at the target does not know the RPC: it is not TF Serving, or a gateway that stops the RPC."""


class ServerFailed(CallError):
    """The server broke while it worked on the request."""


class ClientClosed(CallError):
    """The client was closed before or during the call."""


_GONE = "no answer from {target}: check that a model server runs there and that the address is right"
_BROKEN_OFF = "the connection to {target} broke while it worked for {model}: see whether the server still runs"
_HUNG_UP = (
    "{target} hung up: if it speaks TLS, give tls= (and certificate and key, where it asks for them); "
    "else see whether the server still runs"
)
_OWN_TLS = (
    "this client's tls= cannot be used for {target}: see whether each file is the PEM that it should be, and "
    "whether key belongs to certificate"
)
_TLS = "{target} and this client do not agree on TLS: compare tls= with the server's certificate"
_UNSERVED = "{target} does not serve {model}: correct the name, version or label, or ask client.status() what it has"
_BUSY = "{target} has no room for the request: try again later, or send less at once"
_MEMORY = (
    "{target} does not have enough memory for one batch of {model}: lower max_batch_size, or give predict fewer rows"
)
_REFUSED = "{target} refuses the request for {model}: compare it with what client.metadata() says the model takes"
_MERGED = (
    "{target} put the request for {model} into one batch with a request of another type or shape: compare both with "
    "what client.metadata() says the model takes"
)
_TOO_LARGE = "{target} takes no message as large as this request: make max_batch_bytes or max_batch_size smaller"
_TOO_MANY = "{target} takes no batch as large as this one for {model}: make max_batch_size smaller"
_ENDLESS = "the request for {model} is larger than a message can be (2 GiB): split it"
_SLOW = "{target} did not answer for {model} in time: give a longer timeout, or send smaller batches"
_UNKNOWN_CALLER = "{target} wants to know who calls: give token= or tls="
_FORBIDDEN = "{target} does not let this caller use {model}: ask its keeper"
_FOREIGN = (
    "what answers at {target} does not know {rpc}: check the address (TF Serving's gRPC port is usually 8500), or have "
    "the gateway before the server let {rpc} through"
)
_HTTP1 = (
    "what answers at {target} speaks HTTP/1 and not gRPC: TF Serving's REST port is usually 8501, and its gRPC port, "
    "which this client needs, 8500"
)
_PROXY = "the proxy before {target} lets no call through"
_CLOSED = "the client of {target} was closed: keep it open until the last answer is read"
_BROKE = "{target} failed while answering for {model}: look in the server's log"

# Of a request that had its place in the server's queue, and missed its time there.
QUEUE_TIMEOUT = "timeout exceeded while waiting in batching queue"

# The one table of what failures mean and of what is tried again. The first line that fits code and words decides; ""
# fits any words. The words are TF Serving 2.20's and gRPC's, where one of their codes means several things.
_RULES: tuple[tuple[grpc.StatusCode, str, type[CallError], Then, str], ...] = (
    (_Code.UNAVAILABLE, "batch scheduling queue", ServerBusy, Then.WAIT, _BUSY),
    (_Code.UNAVAILABLE, "handshake failed", ServerUnavailable, Then.REPORT, _TLS),
    (_Code.UNAVAILABLE, "Verification Check failed", ServerUnavailable, Then.REPORT, _TLS),
    (_Code.UNAVAILABLE, "Failed to create security handshaker", ServerUnavailable, Then.REPORT, _OWN_TLS),
    *(
        (_Code.UNAVAILABLE, words, NotAModelServer, Then.REPORT, _HTTP1)
        # The frame's type is a letter of the answer, such as the P of HTTP/1.1.
        for words in ("http1.x server", "frame, got frame type 80", "frame, got frame type 79")
    ),
    (_Code.UNAVAILABLE, "HTTP proxy returned", ServerUnavailable, Then.RETRY, _PROXY),
    # Of a server that died, too.
    (_Code.UNAVAILABLE, "Socket closed", ServerUnavailable, Then.RETRY, _HUNG_UP),
    (_Code.UNAVAILABLE, "Connection reset by peer", ServerUnavailable, Then.RETRY, _HUNG_UP),
    (_Code.UNAVAILABLE, "", ServerUnavailable, Then.RETRY, _GONE),
    (_Code.UNKNOWN, "Stream removed", ServerUnavailable, Then.RETRY, _BROKEN_OFF),
    (_Code.INTERNAL, "RST_STREAM", ServerUnavailable, Then.RETRY, _BROKEN_OFF),
    (_Code.RESOURCE_EXHAUSTED, "message larger than max", InvalidRequest, Then.SPLIT, _TOO_LARGE),
    # TensorFlow's own words, then XLA's and those of TensorFlow's kernels.
    (_Code.RESOURCE_EXHAUSTED, "OOM when allocating", ServerBusy, Then.SPLIT, _MEMORY),
    (_Code.RESOURCE_EXHAUSTED, "Out of memory", ServerBusy, Then.SPLIT, _MEMORY),
    (_Code.RESOURCE_EXHAUSTED, "ailed to allocate memory", ServerBusy, Then.SPLIT, _MEMORY),
    (_Code.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted", ServerBusy, Then.WAIT, _BUSY),
    (_Code.RESOURCE_EXHAUSTED, QUEUE_TIMEOUT, ServerBusy, Then.WAIT, _BUSY),
    (_Code.RESOURCE_EXHAUSTED, "", ServerBusy, Then.RETRY, _BUSY),
    (_Code.ABORTED, "", ServerBusy, Then.RETRY, _BUSY),
    (_Code.INTERNAL, "serializing request", InvalidRequest, Then.SPLIT, _ENDLESS),
    # Another release, or a gateway, may give the queue's words this code.
    (_Code.DEADLINE_EXCEEDED, QUEUE_TIMEOUT, ServerBusy, Then.WAIT, _BUSY),
    (_Code.DEADLINE_EXCEEDED, "", DeadlineExceeded, Then.RETRY, _SLOW),
    (_Code.NOT_FOUND, "", ModelNotFound, Then.RETRY_IF_MET, _UNSERVED),
    (_Code.INVALID_ARGUMENT, "Unrecognized servable version label", ModelNotFound, Then.RETRY_IF_MET, _UNSERVED),
    (_Code.INVALID_ARGUMENT, "larger than maximum input batch size", InvalidRequest, Then.SPLIT, _TOO_MANY),
    # About the request, whatever images are in it: its model, signature, inputs or outputs.
    (_Code.INVALID_ARGUMENT, "ModelSpec", InvalidRequest, Then.REPORT, _REFUSED),
    (_Code.INVALID_ARGUMENT, "input size does not match signature", InvalidRequest, Then.REPORT, _REFUSED),
    (_Code.INVALID_ARGUMENT, "Signature input alias", InvalidRequest, Then.REPORT, _REFUSED),
    (_Code.INVALID_ARGUMENT, "tensor alias", InvalidRequest, Then.REPORT, _REFUSED),
    (_Code.INVALID_ARGUMENT, "Inputs contains invalid name", InvalidRequest, Then.REPORT, _REFUSED),
    (_Code.INVALID_ARGUMENT, "", InvalidRequest, Then.SUSPECT, _REFUSED),
    (_Code.INTERNAL, "Tensor concat operation failed", InvalidRequest, Then.NEIGHBOUR, _MERGED),
    (_Code.FAILED_PRECONDITION, "from different tasks have different shapes", InvalidRequest, Then.NEIGHBOUR, _MERGED),
    (_Code.FAILED_PRECONDITION, "Serving signature", InvalidRequest, Then.REPORT, _REFUSED),
    (_Code.FAILED_PRECONDITION, "", InvalidRequest, Then.ALONE, _REFUSED),
    (_Code.OUT_OF_RANGE, "", InvalidRequest, Then.SUSPECT, _REFUSED),
    (_Code.UNAUTHENTICATED, "", AccessDenied, Then.REPORT, _UNKNOWN_CALLER),
    (_Code.PERMISSION_DENIED, "", AccessDenied, Then.REPORT, _FORBIDDEN),
    (_Code.UNIMPLEMENTED, "", NotAModelServer, Then.REPORT, _FOREIGN),
    (_Code.CANCELLED, "Channel closed", ClientClosed, Then.REPORT, _CLOSED),
    # Nobody here cancelled it: the server did, going down, or what stands before it.
    (_Code.CANCELLED, "", ServerUnavailable, Then.RETRY, _BROKEN_OFF),
)


def call_error(
    code: grpc.StatusCode, details: str | None, *, target: str, model: str, rpc: str = "the call", hint: str = ""
) -> CallError:
    """Make the error for a call that gRPC reports as failed.

    Args:
        code: gRPC's status code.
        details: The words that came with it.
        target: Where the call went.
        model: The model in words, such as `model pnasnet, version 3`.
        rpc: The RPC's name, such as `Predict`.
        hint: What else may keep a call from its server, for the end of such an error.
    """
    details = details or ""
    # What no line fits broke on the server.
    fitting = ((kind, then, text) for its, words, kind, then, text in _RULES if its is code and words in details)
    kind, then, text = next(fitting, (ServerFailed, Then.ALONE, _BROKE))
    reason = textwrap.shorten(f"{code.name}: {details}", 300, placeholder=" ...")
    more = hint if kind is ServerUnavailable else ""
    return kind(f"{text.format(target=target, model=model, rpc=rpc)}{more} ({reason})", code, details, then)


def hide(error: CallError, origin: BaseException | None) -> None:
    """Keep what an error came from out of its traceback: the text of a `CallError` has gRPC's code and words.

    A debugger finds it as `error.__context__`, as after `raise error from None`.
    """
    error.__context__ = origin
    error.__suppress_context__ = True


def then(error: CallError) -> Then:
    """Return what comes next for the images of a request that failed so."""
    return error._then
