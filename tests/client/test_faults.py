"""Failures on real sockets: which of them are retried, and what each image gets in the end."""

import os
import threading
from pathlib import Path

import pytest

from client.shells import SHELLS, call, classify
from hubserve import DeadlineExceeded, InvalidRequest, MalformedAnswer, Retry, ServerBusy, ServerUnavailable
from hubserve.testing import DROP, FakeServer, Fault, Request

QUICK = Retry(first_delay=0.001)
pytestmark = pytest.mark.parametrize("shell", SHELLS)


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def labels(results: list) -> list[str]:
    return [result.label for result in results]


@pytest.mark.parametrize(
    "step",
    [
        Fault("UNAVAILABLE", "The batch scheduling queue to which this task was submitted is full"),
        Fault("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted"),
        DROP,
    ],
    ids=str,
)
def test_a_request_of_3_mb_is_retried(shell: str, step: object):
    # gRPC's own retries silently end at 256 KiB.
    image = os.urandom(3_000_000)
    with FakeServer(lambda data: {str(data == image): 1.0}) as server:
        server.then(step, step)
        (result,) = classify(shell, server.target, [image], retry=QUICK)

    assert result.label == "True"
    assert len(server.requests) == 3


def test_a_run_through_every_kind_of_trouble_answers_each_image_once(shell: str):
    with FakeServer(max_batch_size=16) as server:
        faults = Fault("UNAVAILABLE"), DROP, None, Fault("RESOURCE_EXHAUSTED"), Fault("ABORTED"), DROP, None
        server.then(*faults, times=3)
        results = classify(shell, server.target, numbered(300), retry=QUICK)

    assert labels(results) == [str(number) for number in range(300)]


def test_a_server_that_crashes_in_mid_run_and_comes_back_costs_no_image(shell: str):
    server = FakeServer()
    back = threading.Timer(0.5, server.start)

    def crash(request: Request) -> None:
        if len(server.requests) == 5:
            threading.Thread(target=server.stop).start()
            back.start()

    server.before = crash
    with server:
        results = classify(shell, server.target, numbered(200), max_batch_size=8, concurrency=4)
        back.join()

    assert labels(results) == [str(number) for number in range(200)]


def test_a_server_that_stays_away_makes_the_rest_errors_and_the_run_ends(shell: str):
    server = FakeServer()

    def crash(request: Request) -> None:
        if len(server.requests) == 3:
            threading.Thread(target=server.stop).start()

    server.before = crash
    with server:
        results = classify(
            shell, server.target, numbered(200), max_batch_size=8, concurrency=1, retry=Retry(max_seconds=0.3)
        )

    assert len(results) == 200
    answered = [result for result in results if result.ok]
    assert labels(answered) == [str(number) for number in range(len(answered))]
    assert 16 <= len(answered) <= 24
    assert {type(result.exception) for result in results[len(answered) :]} == {ServerUnavailable}


def test_without_retries_a_failure_is_the_result_of_its_images_alone(shell: str):
    with FakeServer() as server:
        server.then(Fault("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted"))
        results = classify(shell, server.target, numbered(4), max_batch_size=2, concurrency=1, retry=None)

    assert [type(result.exception) for result in results] == [ServerBusy, ServerBusy, type(None), type(None)]


def test_a_bad_image_that_fails_its_whole_batch_is_found_and_reported_on_itself(shell: str):
    def refuse(request: Request) -> None:
        if b"13" in request.images:
            raise Fault("INVALID_ARGUMENT", "Expected image (JPEG, PNG, or GIF), got unknown format")

    with FakeServer(before=refuse) as server:
        results = classify(shell, server.target, numbered(64), max_batch_size=32)

    assert [result.index for result in results if not result.ok] == [13]
    assert isinstance(results[13].exception, InvalidRequest)
    assert "got unknown format" in results[13].error
    # Its batch, 2 x log2(32) halves, and itself once more.
    assert len(server.requests) == 2 + 10 + 1


def test_batches_shrink_to_what_the_server_takes(shell: str):
    with FakeServer(max_batch_size=3) as server:
        results = classify(shell, server.target, numbered(40), max_batch_size=32, concurrency=1)

    assert labels(results) == [str(number) for number in range(40)]
    assert sum(len(request.images) > 3 for request in server.requests) <= 2


def test_predict_tries_again_within_its_time(shell: str):
    with FakeServer() as server:
        server.then(Fault("UNAVAILABLE"), DROP)
        outputs = call(shell, server.target, "predict", {"image_bytes": [b"cat"]}, options={"retry": QUICK})
        server.then(Fault("UNAVAILABLE"), times=1000)
        with pytest.raises((ServerUnavailable, DeadlineExceeded)):
            call(shell, server.target, "predict", {"image_bytes": [b"cat"]}, timeout=0.3, options={"retry": QUICK})

    assert outputs["labels"].tolist() == [[b"cat"]]


def test_an_answer_that_is_not_a_message_is_the_error_of_its_images(shell: str):
    with FakeServer() as server:
        server.then(b"\xff" * 10)
        results = classify(shell, server.target, numbered(2))

    assert [type(result.exception) for result in results] == [MalformedAnswer] * 2
    assert "are not a PredictResponse: check that TF Serving listens there" in results[0].error


def test_a_slow_request_is_hedged(shell: str):
    with FakeServer() as server:
        server.then(20.0)
        results = classify(shell, server.target, numbered(8), timeout=60, retry=Retry(hedge_after=0.1))

    assert labels(results) == [str(number) for number in range(8)]
    assert len(server.requests) == 2


def test_a_good_image_is_answered_before_very_many_unreadable_ones_behind_it(shell: str):
    with FakeServer() as server:
        results = classify(
            shell, server.target, [b"good", *[b""] * 200, b"last"], max_batch_size=2, concurrency=1, retry=None
        )

    assert [result.label for result in results if result.ok] == ["good", "last"]
    assert len(results) == 202


def test_a_model_of_which_64_images_were_bad_is_still_asked_for_the_good_ones(shell: str):
    def refuse(request: Request) -> None:
        if any(image.startswith(b"bad") for image in request.images):
            raise Fault("INVALID_ARGUMENT", "cannot decode")

    images = [b"bad"] * 64 + [b"bad" if number % 16 == 0 else b"good" for number in range(320)]
    with FakeServer(before=refuse) as server:
        results = classify(shell, server.target, images)

    assert [result.ok for result in results] == [image == b"good" for image in images]


def test_an_image_that_is_none_leaves_the_others_answered(shell: str, tmp_path: Path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "good.jpg").write_bytes(b"good")
    (tmp_path / "huge.jpg").touch()
    os.truncate(tmp_path / "huge.jpg", 2**30)
    with FakeServer() as server:
        paths = [tmp_path / f"{name}.jpg" for name in ("empty", "huge", "good", "gone")]
        results = classify(shell, server.target, [*paths, None, b"last"])

    assert [result.label for result in results] == [None, None, "good", None, None, "last"]
    assert "empty.jpg: it is empty, 0 bytes: check that it was written" in results[0].error
    assert "huge.jpg: it has more than 384 MiB: check that it is an image" in results[1].error
    assert "gone.jpg: No such file" in results[3].error
    assert "type NoneType is not an image" in results[4].error
