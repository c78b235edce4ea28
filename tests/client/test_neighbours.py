"""A malformed request of another caller must not fail ours: TensorFlow Serving merges before it checks."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from client.bulk import classify as command
from client.shells import SHELLS, call, classify
from client.simulation import Simulation, failure
from hubserve import CallError, InvalidRequest, Retry, ServerFailed
from hubserve._images.encode import EncodedImage
from hubserve.testing import FakeServer, Fault, Request

CONCAT = "Tensor concat operation failed"
SHAPES = (
    "Tensors with name 'map/TensorArrayUnstack/TensorListFromTensor:0' from different tasks have different shapes and "
    "padding is turned off. Set pad_variable_length_inputs to true, or ensure that all tensors with the same name have "
    "equal dimensions starting with the first dim."
)
NEIGHBOURS = [("INTERNAL", CONCAT), ("FAILED_PRECONDITION", SHAPES), ("INTERNAL", "it broke"), ("UNKNOWN", "")]


@pytest.mark.parametrize(("code", "words"), NEIGHBOURS[:2])
def test_a_stranger_who_spoils_three_batches_of_ten_costs_no_image(code: str, words: str):
    chance = random.Random(1)  # noqa: S311 - the same in every run

    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        return 0.05, failure(code, words) if chance.random() < 0.3 else None

    simulation = Simulation(server, count=20_000)

    assert all(result.ok for result in simulation.run())
    # Nothing waits for tokens: 2500 requests, and 3 in 7 more of them, 4 at a time.
    assert simulation.now - 1000 < 1.1 * 2500 / 0.7 * 0.05 / 4


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("code", "words"), NEIGHBOURS)
def test_what_fails_once_is_sent_again_and_then_judged(shell: str, code: str, words: str):
    with FakeServer(predict=lambda _, inputs: {"y": inputs["x"]}) as server:
        server.then(Fault(code, words))
        assert call(shell, server.target, "predict", {"x": [1.0]})["y"] == [1.0]
        assert len(server.requests) == 2
    with FakeServer() as server:
        server.then(Fault(code, words))
        assert [result.label for result in classify(shell, server.target, [b"cat", b"dog"])] == ["cat", "dog"]
        assert len(server.requests) == 2


@pytest.mark.parametrize("shell", SHELLS)
def test_a_request_that_always_fails_is_reported_after_few_tries(shell: str):
    def broken(_: Request) -> None:
        raise Fault("INTERNAL", "it broke")

    with FakeServer(before=broken) as server:
        (result,) = classify(shell, server.target, [b"cat"])
        with pytest.raises(ServerFailed):
            call(shell, server.target, "predict", {"x": [1.0]})
    assert isinstance(result.exception, ServerFailed)
    assert len(server.requests) == 4


@pytest.mark.parametrize("shell", SHELLS)
def test_a_request_that_does_not_fit_its_neighbours_ends_and_says_so(shell: str):
    def merged(_: Request) -> None:
        raise Fault("INTERNAL", CONCAT)

    with FakeServer(before=merged) as server:
        with pytest.raises(InvalidRequest, match="request of another type or shape"):
            call(shell, server.target, "predict", {"x": [1.0]}, options={"retry": Retry(first_delay=0.001)})
        assert len(server.requests) == 9


def test_without_retries_predict_reports_the_first_failure():
    with FakeServer() as server:
        server.then(Fault("INTERNAL", CONCAT))
        with pytest.raises(InvalidRequest):
            call("threads", server.target, "predict", {"x": [1.0]}, options={"retry": None})


def test_a_run_beside_a_stranger_who_spoils_every_batch_for_a_while_goes_on(tmp_path: Path):
    with FakeServer() as server:
        server.then(None, *[Fault("INTERNAL", CONCAT)] * 9)
        for number in range(30):
            (tmp_path / f"{number:02}.png").write_bytes(b"%02d" % number)
        done = command(server, tmp_path, "--batch-size", 1, "--concurrency", 1, "--format", "jsonl")

    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(not record["error"] for record in records) == 29
    assert done.exit_code == 1


def test_a_batch_that_the_server_breaks_on_is_sent_again_alone():
    out: list[tuple[float, int]] = []

    def server(batch: Sequence[EncodedImage], now: float) -> tuple[float, CallError | None]:
        out.append((now, batch[0].index))
        return 1.0, failure("INTERNAL", "it broke") if batch[0].index == 16 else None

    results = Simulation(server, count=80).run()

    assert [result.index for result in results if not result.ok] == list(range(16, 24))
    _, again = [sent for sent, index in out if index == 16]
    assert [index for sent, index in out if abs(sent - again) < 1] == [16]
