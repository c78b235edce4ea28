"""The size of a request, and how often its bytes are copied: guards without a clock.

Each is shown to fail by planting what it guards against.
"""

import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from hubserve import Client
from hubserve._images.encode import encode
from hubserve.testing._messages import classified
from hubserve.wire import codec
from hubserve.wire.codec import Requests

IMAGES = [bytes([number]) * 50_000 for number in range(32)]
PAYLOAD = sum(map(len, IMAGES))
BATCH = 8


class Counting:
    """A server that keeps the size of every Predict message as it came over the wire."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._answer = classified([b""] * BATCH, lambda _: {"cat": 1.0}).SerializeToString()

    def predict(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        self.sizes.append(len(request))
        return self._answer


@pytest.fixture
def server() -> Iterator[tuple[str, Counting]]:
    counting = Counting()
    handlers = {"Predict": grpc.unary_unary_rpc_method_handler(counting.predict)}
    server = grpc.server(ThreadPoolExecutor(4))
    service = "tensorflow.serving.PredictionService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", counting
    server.stop(None).wait()


def classify(target: str) -> None:
    with Client(target, model="m", concurrency=1, max_batch_size=BATCH) as client:
        assert all(result.ok for result in client.classify(IMAGES))


def check_overhead(server: tuple[str, Counting]) -> None:
    """One message for each batch: for each image a tag and its length, and for each message its names."""
    target, counting = server
    classify(target)
    assert len(counting.sizes) == len(IMAGES) // BATCH
    assert sum(counting.sizes) - PAYLOAD <= 4 * len(IMAGES) + 100 * len(counting.sizes)


def check_copies(_: object = None) -> None:
    """From images in memory to the bytes that gRPC gets, each byte is copied once: into the request."""
    requests = Requests("m")
    # The first one has other things to do.
    requests.images([encode(0, bytes(200_000))])
    tracemalloc.start()
    try:
        request = requests.images([encode(index, image) for index, image in enumerate(IMAGES)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 1.05 * len(request)


def test_a_request_weighs_hardly_more_than_its_images(server: tuple[str, Counting]) -> None:
    check_overhead(server)


def test_a_request_is_copied_once() -> None:
    check_copies()


def with_a_field_of_its_own(write: Callable[..., bytes]) -> Callable[..., bytes]:
    """The request, with a field that no server knows, as long as an image's name may be."""
    return lambda *arguments: write(*arguments) + b"\x7a\xff\x01" + bytes(255)


def copied(write: Callable[..., bytes]) -> Callable[..., bytes]:
    """The request, joined twice."""

    def twice(*arguments: Any) -> bytes:
        first = write(*arguments)
        return b"".join([first[: len(first) // 2], first[len(first) // 2 :]])

    return twice


@pytest.mark.parametrize(
    ("plant", "check"), [(with_a_field_of_its_own, check_overhead), (copied, check_copies)], ids=["bytes", "copies"]
)
def test_the_guard_sees_a_regression(
    server: tuple[str, Counting], monkeypatch: pytest.MonkeyPatch, plant: Callable[..., Any], check: Callable[..., None]
) -> None:
    monkeypatch.setattr(codec, "predict_request", plant(codec.predict_request))
    with pytest.raises(AssertionError):
        check(server)
