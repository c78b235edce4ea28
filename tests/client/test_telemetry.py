"""The spans of requests, through OpenTelemetry's own SDK; without OpenTelemetry, nothing happens."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from client.shells import SHELLS, call, classify
from hubserve import AsyncClient, Client, Retry
from hubserve._transport.telemetry import server_attributes
from hubserve.testing import FakeServer, Fault, Request

QUICK = Retry(first_delay=0.001)
PREDICT = "tensorflow.serving.PredictionService/Predict"
SECRET = "s3cret-token"  # noqa: S105 - it opens nothing
TRACER = trace.get_tracer("the caller")


class Spans(SpanExporter):
    """Keeps spans; they end on gRPC's threads, a moment after the answer."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []
        self._more = threading.Condition()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._more:
            self._spans += [span for span in spans if span.kind is SpanKind.CLIENT]
            self._more.notify_all()
        return SpanExportResult.SUCCESS

    def of(self, model: str, count: int) -> list[ReadableSpan]:
        """The expected number of spans of requests to a model, in the order of their begin."""

        def found() -> list[ReadableSpan]:
            return [span for span in self._spans if span.attributes["hubserve.model"] == model]

        with self._more:
            self._more.wait_for(lambda: len(found()) >= count, timeout=60)
            return sorted(found(), key=lambda span: span.start_time)


@pytest.fixture(scope="module")
def spans() -> Spans:
    exporter = Spans()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # Of the whole process, and for good, as OpenTelemetry has it: each test looks at a model's name of its own.
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture(scope="module")
def reader() -> InMemoryMetricReader:
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    return reader


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


def port(server: FakeServer) -> int:
    return int(server.target.rpartition(":")[2])


@pytest.mark.parametrize("shell", SHELLS)
def test_a_request_is_a_span_below_the_callers_and_the_server_can_join_the_trace(
    shell: str, server: FakeServer, spans: Spans
):
    with TRACER.start_as_current_span("work") as work:
        classify(shell, server.target, [b"a", b"b", b"c"], model=f"joined-{shell}")

    (span,) = spans.of(f"joined-{shell}", 1)
    assert span.name == PREDICT
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": PREDICT,
        "rpc.response.status_code": "OK",
        "server.address": "127.0.0.1",
        "server.port": port(server),
        "hubserve.model": f"joined-{shell}",
        "hubserve.images": 3,
    }
    assert span.parent.span_id == work.get_span_context().span_id
    context = span.get_span_context()
    assert server.requests[0].metadata["traceparent"].startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")


@pytest.mark.parametrize("shell", SHELLS)
def test_retries_are_spans_of_their_own_with_the_servers_words(shell: str, server: FakeServer, spans: Spans):
    model = f"again-{shell}"
    server.then(Fault("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted"))
    classify(shell, server.target, [b"cat"], model=model, retry=QUICK)
    server.then(Fault("UNAVAILABLE", "gone"), Fault("UNAVAILABLE", "gone"))
    call(shell, server.target, "predict", {"x": [1]}, options={"model": model, "retry": QUICK})

    seen = spans.of(model, 5)
    assert [span.attributes["rpc.response.status_code"] for span in seen] == [
        *("RESOURCE_EXHAUSTED", "OK"),
        *("UNAVAILABLE", "UNAVAILABLE", "OK"),
    ]
    assert [span.attributes.get("hubserve.resend_count", 0) for span in seen] == [0, 1, 0, 1, 2]
    assert [span.attributes.get("error.type") for span in seen][:2] == ["RESOURCE_EXHAUSTED", None]
    assert (seen[0].status.status_code, seen[0].status.description) == (
        StatusCode.ERROR,
        "Server Threadpool Exhausted",
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_the_other_verbs_are_reported_too(shell: str, server: FakeServer, spans: Spans):
    call(shell, server.target, "metadata", options={"model": f"verbs-{shell}"})
    call(shell, server.target, "status", options={"model": f"verbs-{shell}"})

    assert [span.name.rpartition(".")[2] for span in spans.of(f"verbs-{shell}", 2)] == [
        "PredictionService/GetModelMetadata",
        "ModelService/GetModelStatus",
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_request_of_a_batcher_has_no_parent_and_links_to_all_callers(shell: str, server: FakeServer, spans: Spans):
    model = f"shared-{shell}"
    asking: set[int] = set()
    options: dict[str, Any] = {"max_size": 3, "max_delay": 60}

    def ask_all() -> None:
        with Client(server.target, model=model) as client, client.classify_batcher(**options) as batcher:

            def ask(image: bytes) -> None:
                with TRACER.start_as_current_span("request") as span:
                    asking.add(span.get_span_context().span_id)
                    batcher.ask(image)

            with ThreadPoolExecutor(3) as callers:
                list(callers.map(ask, [b"a", b"b", b"c"]))

    async def ask_all_async() -> None:
        async with AsyncClient(server.target, model=model) as client, client.classify_batcher(**options) as batcher:

            async def ask(image: bytes) -> None:
                with TRACER.start_as_current_span("request") as span:
                    asking.add(span.get_span_context().span_id)
                    await batcher.ask(image)

            await asyncio.gather(ask(b"a"), ask(b"b"), ask(b"c"))

    ask_all() if shell == "threads" else asyncio.run(ask_all_async())

    (span,) = spans.of(model, 1)
    assert span.parent is None
    assert {link.context.span_id for link in span.links} == asking
    assert len(asking) == 3


@pytest.mark.parametrize("shell", SHELLS)
def test_durations_are_measured_by_outcome_and_not_by_model(
    shell: str, server: FakeServer, spans: Spans, reader: InMemoryMetricReader
):
    server.then(Fault("UNAVAILABLE", "gone"))
    classify(shell, server.target, [b"cat"], model=f"measured-{shell}", retry=QUICK)

    # A span ends after its request is measured.
    spans.of(f"measured-{shell}", 2)
    points = {
        point.attributes["rpc.response.status_code"]: point
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if (metric.name, metric.unit) == ("rpc.client.call.duration", "s")
        for point in metric.data.data_points
        if point.attributes["server.port"] == port(server)
    }
    assert dict(points["UNAVAILABLE"].attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": PREDICT,
        "rpc.response.status_code": "UNAVAILABLE",
        "error.type": "UNAVAILABLE",
        "server.address": "127.0.0.1",
        "server.port": port(server),
    }
    assert [points["UNAVAILABLE"].count, points["OK"].count] == [1, 1]
    # Seconds: OpenTelemetry's own boundaries are made for milliseconds.
    assert points["OK"].explicit_bounds[0] == 0.005


@pytest.mark.parametrize("shell", SHELLS)
def test_no_secret_is_in_a_span(shell: str, server: FakeServer, spans: Spans):
    model = f"secret-{shell}"

    def refuse(request: Request) -> None:
        raise Fault("INTERNAL", "it broke")

    server.before = refuse
    classify(shell, server.target, [b"a secret image"], model=model, token=SECRET, allow_plaintext_token=True)

    found = spans.of(model, 2)
    assert server.requests[0].metadata["authorization"] == f"Bearer {SECRET}"
    assert not any(SECRET in span.to_json() or "a secret image" in span.to_json() for span in found)


@pytest.mark.parametrize(
    ("target", "address", "at"),
    [
        ("localhost:8500", "localhost", 8500),
        ("[::1]:8500", "::1", 8500),
        ("dns:///models:8500", "models", 8500),
        ("dns://10.0.0.1/models:8500", "models", 8500),
        ("dns:models", "models", None),
        ("unix:///run/model.sock", "/run/model.sock", None),
        ("unix:model.sock", "model.sock", None),
        ("ipv4:10.0.0.1:8500,10.0.0.2:8500", "ipv4:10.0.0.1:8500,10.0.0.2:8500", None),
        ("xds:///models", "xds:///models", None),
        (["one:8500"], "one", 8500),
        (["one:8500", "two:8500"], "one:8500,two:8500", None),
    ],
)
def test_the_server_is_named_as_the_conventions_have_it(target: Any, address: str, at: int | None):
    expected: dict[str, Any] = {"server.address": address}
    if at is not None:
        expected["server.port"] = at

    assert server_attributes(target) == expected


def test_without_opentelemetry_all_goes_on_as_ever(server: FakeServer):
    program = (
        "import sys\n"
        "sys.modules['opentelemetry'] = None\n"
        "import hubserve\n"
        "with hubserve.Client(sys.argv[1], model='m') as client:\n"
        "    print(*(result.label for result in client.classify([b'cat'])))\n"
        "    with client.classify_batcher() as batcher:\n"
        "        print(batcher.ask(b'dog').label)\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.')])\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, server.target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert (done.stdout, done.stderr) == ("cat\ndog\n[]\n", "")
    assert "traceparent" not in server.requests[0].metadata
