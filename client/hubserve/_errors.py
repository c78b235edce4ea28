"""All errors that hubserve raises on purpose, sorted by what the caller does next.

HubserveError
├── UsageError              the call itself is wrong: change the program (also a ValueError)
├── ImageError              this image cannot be sent: fix it, or leave it out
├── UnsuitableModel         the model does not have these outputs: use another method or another model
├── MalformedAnswer         the answer is not valid: check the model and the server
├── ModelNotReady           the server knows the model but does not serve it yet: wait longer, or read the reason
└── CallError               the server, or the connection to it, failed the call; has .code and .details
    ├── ServerUnavailable   no answer: check that the server runs and that the address is right; a retry may help
    ├── ServerBusy          the server has too much to do: retry later, send less at a time
    ├── DeadlineExceeded    the answer took too long: allow more time, send smaller batches
    │   └── ImageTooSlow    the server answers other images in time: look at this one
    ├── ModelNotFound       the server does not have this model, version or label: correct the name
    ├── InvalidRequest      the server refuses the request: change what is sent
    ├── AccessDenied        the server does not let this caller in: give other credentials
    ├── NotAModelServer     the server does not know the RPC: correct the address, or open the gateway for the RPC
    ├── ServerFailed        the server failed: look in its log
    └── ClientClosed        this client was closed: keep it open until the last answer is read
"""

# The names say what is wrong; the suffix "Error" would add nothing.
# ruff: noqa: N818

import textwrap
from enum import Enum

import grpc

_Code = grpc.StatusCode


class HubserveError(Exception):
    """The base class of all errors; any other exception from the client is a defect of hubserve."""


class UsageError(HubserveError, ValueError):
    """The call itself is wrong; no server was called."""


class ImageError(HubserveError):
    """An image could not be read or encoded; it was not sent."""


class UnsuitableModel(HubserveError):
    """The model answered, but does not have the outputs that the call needs."""


class MalformedAnswer(HubserveError):
    """The server's answer contradicts itself, the request, or the model directory's format."""


class ModelNotReady(HubserveError):
    """The server knows the model, and does not serve it yet."""


class Then(Enum):
    """Say what happens next to the images of a failed request."""

    # The same request would fail again.
    REPORT = "report"
    # A retry may succeed. A prediction changes nothing on the server, so a retry is always safe.
    RETRY = "retry"
    # The server had no room. The request waits until there is room, and is sent again: see `hubserve._schedule.gate`.
    WAIT = "wait"
    # RETRY if this client has had answers before: the server may be between two versions. Else REPORT.
    RETRY_IF_MET = "retry if met"
    # A request with fewer images may succeed.
    SPLIT = "split"
    # The server merged the request with another client's request of another dtype or shape: TensorFlow Serving merges
    # first, and checks later. Requests of one client to one model in `classify` never differ like this.
    NEIGHBOUR = "neighbour"
    # The server failed, perhaps because of a request that it merged with this one: retry once, with no other in flight.
    ALONE = "alone"
    # One of the images may be the cause; or another client's image, which the server put into the same batch.
    SUSPECT = "suspect"


class CallError(HubserveError):
    """A call to the server failed.

    Attributes:
        code: gRPC's status code.
        details: The complete message of the server, or of gRPC where no server was reached.
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

    @classmethod
    def of_caller(cls, source: str, timeout: float) -> "DeadlineExceeded":
        """Make the error of one image whose caller waits no longer.

        Args:
            source: The image's name.
            timeout: The seconds that the caller waited.
        """
        text = f"{source}: no answer within the {timeout:g} s of this call: allow more time, or send less at a time"
        return cls(text, _Code.DEADLINE_EXCEEDED)


class ImageTooSlow(DeadlineExceeded):
    """The server answers other images, and missed the deadline for this one twice."""

    @classmethod
    def of(cls, source: str, error: CallError) -> "ImageTooSlow":
        """Make the error of one image.

        Args:
            source: The image's name.
            error: The last timeout.
        """
        return cls(
            f"{source}: the server answers other images, and missed the deadline for this one twice: look at the "
            "image, or give a longer timeout",
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
    """The program at the target does not know the RPC: it is not TF Serving, or it is a gateway that blocks the RPC."""


class ServerFailed(CallError):
    """The server failed while it worked on the request."""


class ClientClosed(CallError):
    """The client was closed before or during the call."""


_GONE = "no answer from {target}: check that a model server runs there and that the address is right"
_BROKEN_OFF = "the connection to {target} broke during a request for {model}: check that the server still runs"
_HUNG_UP = (
    "{target} closed the connection: if it uses TLS, give tls= (with certificate and key, where it asks for them); "
    "else check that the server still runs"
)
_OWN_TLS = (
    "this client's tls= cannot be used for {target}: check that each file is the right PEM file, and that key belongs "
    "to certificate"
)
_TLS = "{target} and this client do not agree on TLS: compare tls= with the server's certificate"
_UNSERVED = "{target} does not serve {model}: correct the name, version or label; client.status() lists the versions"
_BUSY = "{target} has no room for the request: retry later, or send less at once"
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
_UNKNOWN_CALLER = "{target} asks who is calling: give token= or tls="
_FORBIDDEN = "{target} does not let this caller use {model}: ask its administrator"
_FOREIGN = (
    "the program at {target} does not know {rpc}: check the address (TF Serving's gRPC port is usually 8500), or make "
    "the gateway before the server let {rpc} through"
)
_HTTP1 = (
    "the program at {target} speaks HTTP/1 and not gRPC: TF Serving's REST port is usually 8501, and its gRPC port, "
    "which this client needs, 8500"
)
_PROXY = "the proxy before {target} blocks the call: check the proxy's rules, or set no_proxy for this address"
_CLOSED = "the client of {target} was closed: keep it open until the last answer is read"
_BROKE = "{target} failed while answering for {model}: look in the server's log"

# TF Serving's words for a request that timed out in the batching queue.
QUEUE_TIMEOUT = "timeout exceeded while waiting in batching queue"
# And for a request for which the server has no thread.
NO_THREAD = "Server Threadpool Exhausted"

# The one table of what failures mean and what is retried. The first line that fits code and words decides; "" fits
# any words. The words are those of TF Serving 2.20 and gRPC, for codes that mean several things.
_RULES: tuple[tuple[grpc.StatusCode, str, type[CallError], Then, str], ...] = (
    (_Code.UNAVAILABLE, "batch scheduling queue", ServerBusy, Then.WAIT, _BUSY),
    (_Code.UNAVAILABLE, "handshake failed", ServerUnavailable, Then.REPORT, _TLS),
    (_Code.UNAVAILABLE, "Verification Check failed", ServerUnavailable, Then.REPORT, _TLS),
    (_Code.UNAVAILABLE, "Failed to create security handshaker", ServerUnavailable, Then.REPORT, _OWN_TLS),
    *(
        (_Code.UNAVAILABLE, words, NotAModelServer, Then.REPORT, _HTTP1)
        # gRPC takes a letter of an HTTP/1.1 answer for the type of a frame: 80 is P, 79 is O.
        for words in ("http1.x server", "frame, got frame type 80", "frame, got frame type 79")
    ),
    (_Code.UNAVAILABLE, "HTTP proxy returned", ServerUnavailable, Then.RETRY, _PROXY),
    # Also seen when a server dies.
    (_Code.UNAVAILABLE, "Socket closed", ServerUnavailable, Then.RETRY, _HUNG_UP),
    (_Code.UNAVAILABLE, "Connection reset by peer", ServerUnavailable, Then.RETRY, _HUNG_UP),
    (_Code.UNAVAILABLE, "", ServerUnavailable, Then.RETRY, _GONE),
    (_Code.UNKNOWN, "Stream removed", ServerUnavailable, Then.RETRY, _BROKEN_OFF),
    (_Code.INTERNAL, "RST_STREAM", ServerUnavailable, Then.RETRY, _BROKEN_OFF),
    (_Code.RESOURCE_EXHAUSTED, "message larger than max", InvalidRequest, Then.SPLIT, _TOO_LARGE),
    # The words of TensorFlow, then of XLA and of TensorFlow's kernels.
    (_Code.RESOURCE_EXHAUSTED, "OOM when allocating", ServerBusy, Then.SPLIT, _MEMORY),
    (_Code.RESOURCE_EXHAUSTED, "Out of memory", ServerBusy, Then.SPLIT, _MEMORY),
    (_Code.RESOURCE_EXHAUSTED, "ailed to allocate memory", ServerBusy, Then.SPLIT, _MEMORY),
    (_Code.RESOURCE_EXHAUSTED, NO_THREAD, ServerBusy, Then.WAIT, _BUSY),
    (_Code.RESOURCE_EXHAUSTED, QUEUE_TIMEOUT, ServerBusy, Then.WAIT, _BUSY),
    (_Code.RESOURCE_EXHAUSTED, "", ServerBusy, Then.RETRY, _BUSY),
    (_Code.ABORTED, "", ServerBusy, Then.RETRY, _BUSY),
    (_Code.INTERNAL, "serializing request", InvalidRequest, Then.SPLIT, _ENDLESS),
    # Another release, or a gateway, may give the queue's message this code.
    (_Code.DEADLINE_EXCEEDED, QUEUE_TIMEOUT, ServerBusy, Then.WAIT, _BUSY),
    (_Code.DEADLINE_EXCEEDED, "", DeadlineExceeded, Then.RETRY, _SLOW),
    (_Code.NOT_FOUND, "", ModelNotFound, Then.RETRY_IF_MET, _UNSERVED),
    (_Code.INVALID_ARGUMENT, "Unrecognized servable version label", ModelNotFound, Then.RETRY_IF_MET, _UNSERVED),
    (_Code.INVALID_ARGUMENT, "larger than maximum input batch size", InvalidRequest, Then.SPLIT, _TOO_MANY),
    # These are about the whole request, not about an image: its model, signature, inputs or outputs.
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
    # This client did not cancel the call: the server did while it stopped, or a proxy did.
    (_Code.CANCELLED, "", ServerUnavailable, Then.RETRY, _BROKEN_OFF),
)


def call_error(
    code: grpc.StatusCode, details: str | None, *, target: str, model: str, rpc: str = "the call", hint: str = ""
) -> CallError:
    """Make the error for a call that gRPC reports as failed.

    Args:
        code: gRPC's status code.
        details: The message that came with it.
        target: Where the call went.
        model: The model in words, such as `model pnasnet, version 3`.
        rpc: The RPC's name, such as `Predict`.
        hint: Another possible reason why no server was reached; added to such errors.
    """
    details = details or ""
    # A failure that fits no line is taken as one of the server.
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
    """Return what happens next to the images of a request that failed with this error."""
    return error._then
