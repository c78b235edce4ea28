"""Spans and metrics of requests, through OpenTelemetry's API if it is installed.

Each request to a server is one span and one measurement, so that a retry is visible as a separate request. Names follow
OpenTelemetry 1.44's semantic conventions for gRPC (opentelemetry.io/docs/specs/semconv/rpc/grpc); names that those do
not define begin with `hubserve.`. Spans never contain metadata, bytes of an image or inputs.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._images.encode import EncodedImage
from .._settings import ClientSettings
from .._version import __version__

if TYPE_CHECKING:
    import grpc
    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span, SpanContext

_SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
_DURATION = "rpc.client.call.duration"
# Seconds, as in the conventions.
_BOUNDARIES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


def telemetry(settings: ClientSettings) -> Telemetry | None:
    """Return the telemetry of a client; None if OpenTelemetry (1.30 or newer) is not installed."""
    try:
        # Imported when a client is made: importing hubserve imports none of it.
        import opentelemetry.metrics
        import opentelemetry.propagate
        import opentelemetry.trace  # noqa: F401

        return Telemetry(settings)
    # TypeError: a version older than 1.30, which does not know a histogram's boundaries.
    except (ImportError, TypeError):
        return None


class Telemetry:
    """Report the requests of one client to OpenTelemetry: `attempt = telemetry.begin(PREDICT); attempt.end(code)`.

    Args:
        settings: The client's settings.
    """

    def __init__(self, settings: ClientSettings) -> None:
        from opentelemetry import metrics, trace

        self._tracer = trace.get_tracer("hubserve", __version__, schema_url=_SCHEMA)
        meter = metrics.get_meter("hubserve", __version__, schema_url=_SCHEMA)
        self._durations = meter.create_histogram(
            _DURATION,
            unit="s",
            description="Measures the duration of an outgoing Remote Procedure Call (RPC).",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
        self._model = settings.model
        self._where = server_attributes(settings.target)

    def begin(self, path: str, *, images: Sequence[EncodedImage] = (), resends: int = 0) -> Attempt:
        """Start a span, as a child of the caller's.

        Args:
            path: The RPC's path.
            images: The images of the request; those of a batcher carry the spans of their callers.
            resends: How often the same request was sent before.
        """
        from opentelemetry import propagate, trace

        measured: dict[str, str | int] = {"rpc.system.name": "grpc", "rpc.method": path[1:], **self._where}
        about = {**measured, "hubserve.model": self._model}
        if images:
            about["hubserve.images"] = len(images)
        if resends:
            about["hubserve.resend_count"] = resends
        callers = {image.caller.span_id: image.caller for image in images if image.caller is not None}
        span = self._tracer.start_span(
            path[1:],
            kind=trace.SpanKind.CLIENT,
            attributes=about,
            links=[trace.Link(caller) for caller in callers.values()],
        )
        carrier: dict[str, str] = {}
        propagate.inject(carrier, context=trace.set_span_in_context(span))
        # gRPC allows only lower case in keys.
        headers = tuple((key.lower(), value) for key, value in carrier.items())
        return Attempt(span, self._durations, measured, headers)


class Attempt:
    """One request in flight.

    Attributes:
        headers: The metadata that connects the server's spans to the trace.
    """

    def __init__(
        self,
        span: Span,
        durations: Histogram,
        measured: dict[str, str | int],
        headers: tuple[tuple[str, str], ...],
    ) -> None:
        self._span = span
        self._durations = durations
        self._measured = measured
        self._sent = time.perf_counter()
        self.headers = headers

    def end(self, code: grpc.StatusCode, details: str | None = None) -> None:
        """End the span with gRPC's code and, after a failure, its message."""
        from opentelemetry.trace import Status, StatusCode

        seconds = time.perf_counter() - self._sent
        outcome = {"rpc.response.status_code": code.name}
        if code.name != "OK":
            outcome["error.type"] = code.name
            words = textwrap.shorten(details or "", 300, placeholder=" ...")
            self._span.set_status(Status(StatusCode.ERROR, words or None))
        self._span.set_attributes(outcome)
        self._durations.record(seconds, {**self._measured, **outcome})
        self._span.end()

    def ended(self, future: Any) -> None:
        """End the span with the outcome of gRPC's future."""
        self.end(future.code(), future.details())


def caller() -> SpanContext | None:
    """Return the caller's span, for the request of a batcher that will carry the image; None if there is none."""
    import sys

    # A caller with a span has imported the module. During an import by another thread, the function is missing.
    current = getattr(sys.modules.get("opentelemetry.trace"), "get_current_span", None)
    context: SpanContext | None = current().get_span_context() if current else None
    return context if context and context.is_valid else None


def server_attributes(target: str | Sequence[str]) -> dict[str, str | int]:
    """Return `server.address` and, if there is one, `server.port`, as the conventions define for gRPC targets."""
    if not isinstance(target, str):
        addresses = list(target)
        if len(addresses) > 1:
            return {"server.address": ",".join(addresses)}
        target = addresses[0]
    scheme, colon, rest = target.partition(":")
    if colon and scheme == "unix":
        return {"server.address": rest.removeprefix("//")}
    if colon and scheme == "dns":
        # dns:NAME:PORT or dns://RESOLVER/NAME:PORT
        target = rest.removeprefix("//").rpartition("/")[2] if rest.startswith("//") else rest
    elif "/" in target or scheme in ("ipv4", "ipv6"):
        return {"server.address": target}
    host, colon, port = target.rpartition(":")
    if not (colon and port.isdecimal()):
        return {"server.address": target}
    return {"server.address": host.strip("[]"), "server.port": int(port)}
