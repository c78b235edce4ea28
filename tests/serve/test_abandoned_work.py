"""The work of the embedded engine for callers that have left: no more than the cost of their images."""

import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from hubserve_export._preprocessing import DEFAULT_MAX_PIXELS
from hubserve_serve import EmbeddedServer
from serve.calls import PATIENCE, Caller, calling, request
from support.photographs import CHELSEA
from trust.cost import BOUND
from trust.costly import COSTLY, arithmetic_progressive
from trust.pixels_model import export_pixels

pytestmark = pytest.mark.slow

GOOD = CHELSEA.read_bytes()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_pixels(tmp_path_factory.mktemp("pixels"), max_pixels=DEFAULT_MAX_PIXELS).parent


@pytest.fixture
def server(base: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(base) as server:
        yield server


def give_up(caller: Caller, images: list[bytes]) -> None:
    """Send images, and return when the server has answered that the deadline passed."""
    with pytest.raises(grpc.RpcError) as caught:
        caller.prediction.Predict(request(model="pixels", image_bytes=images), metadata=[("grpc-timeout", "300m")])
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def statuses(caller: Caller, images: list[bytes]) -> list[int]:
    response = caller.prediction.Predict(request(model="pixels", image_bytes=images), timeout=PATIENCE)
    return list(response.outputs["status"].int_val)


def test_a_batch_whose_callers_left_costs_no_more_than_its_images_may(server: EmbeddedServer) -> None:
    dear = [COSTLY["PNG, alpha"].make(3600, 3600)] * 4
    with calling(server.target) as caller:
        assert statuses(caller, [GOOD]) == [0]
        used = time.process_time()
        give_up(caller, dear)
        assert statuses(caller, [GOOD]) == [0]
        # Whatever still runs is over then.
        server.stop()
        used = time.process_time() - used
    # It was really at work, and would else be no test of anything.
    assert 0.2 < used < len(dear) * BOUND.seconds


def test_images_that_kept_the_engine_busy_for_minutes_are_refused_for_nothing(server: EmbeddedServer) -> None:
    """Eight files of 1.8 kB took 126 CPU seconds, most of them after the caller's deadline."""
    dear = [arithmetic_progressive(11)(8000, 8000)] * 8
    with calling(server.target) as caller:
        used = time.process_time()
        assert statuses(caller, [*dear, GOOD]) == [2] * 8 + [0]
        assert time.process_time() - used < BOUND.seconds
