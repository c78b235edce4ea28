import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import grpc
import numpy as np
import pytest

from hubserve_serve import EmbeddedServer
from serve.calls import Caller, calling, request, wait_for
from serve.toys import model_dir

FOR_EVER = 3_600_000_000
FULL_ONLY = f"""
max_batch_size {{ value: 4 }}
batch_timeout_micros {{ value: {FOR_EVER} }}  # a batch runs when it is full, and only then
allowed_batch_sizes: [1, 2, 4]
"""


@pytest.fixture(scope="module")
def merging(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    base = model_dir(toy, tmp_path_factory.mktemp("merging") / "toy", batching=FULL_ONLY)
    with EmbeddedServer(base) as server, calling(server.target) as caller:
        yield caller


@pytest.fixture
def batched(toy: Path, tmp_path: Path) -> Iterator[Callable[[str], Caller]]:
    """Serve the toy under batching parameters given by the test."""
    stop: list[Callable[..., None]] = []

    def serve(parameters: str) -> Caller:
        server = EmbeddedServer(model_dir(toy, tmp_path / "toy", batching=parameters))
        server.start()
        caller = Caller(server.target)
        stop.extend([server.stop, caller.channel.close])
        return caller

    yield serve
    for action in reversed(stop):
        action()


def at_once(*calls: Callable[[], object]) -> list:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def test_callers_are_merged_into_one_run_and_get_their_own_rows(merging: Caller):
    images = [[b"one"], [b"two"], [b"three\0"], [b"four"]]
    answers = at_once(*(lambda image=image: merging.predict("echo", image_bytes=image) for image in images))
    assert [answer["echo"].tolist() for answer in answers] == images
    assert len({answer["run"].item() for answer in answers}) == 1
    assert [answer["rows"].item() for answer in answers] == [4] * 4


def test_variables_and_tables_are_the_models_own_inside_a_batch(merging: Caller):
    answer = merging.predict(image_bytes=[b"even", b"odd", b"", b"odd"])
    assert answer["labels"][:, 0].tolist() == [b"cat", b"dog", b"", b"dog"]
    assert answer["scores"][1].tolist() == [0.5, 0.25]


def test_several_inputs_are_batched_together(merging: Caller):
    a = np.arange(8, dtype="f").reshape(4, 2)
    assert merging.predict("add", a=a, b=a)["sum"].tolist() == (2 * a).tolist()


def test_a_filtered_output_is_batched_too(merging: Caller):
    message = request("echo", image_bytes=[b"1", b"2", b"3", b"4"])
    message.output_filter.append("echo")
    outputs = merging.prediction.Predict(message).outputs
    assert {alias: list(proto.string_val) for alias, proto in outputs.items()} == {"echo": [b"1", b"2", b"3", b"4"]}


def test_an_empty_request_is_answered_without_waiting_for_a_batch(merging: Caller):
    assert merging.predict(image_bytes=[], timeout=30)["scores"].shape == (0, 2)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (request(image_bytes=[b"x"] * 5), "Task size 5 is larger than maximum input batch size 4"),
        (
            request("add", a=np.ones([2, 2], "f"), b=np.ones([3, 2], "f")),
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
        (
            request("add", a=np.float32(1), b=np.ones([3, 2], "f")),
            "Batching Run() input tensors must have at least one dimension",
        ),
    ],
)
def test_a_request_that_cannot_be_batched_is_refused(merging: Caller, message, words):
    with pytest.raises(grpc.RpcError) as caught:
        merging.prediction.Predict(message, timeout=30)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, words)


def test_a_failing_batch_tells_the_models_error_and_not_ours(merging: Caller):
    with pytest.raises(grpc.RpcError) as caught:
        merging.predict("failing", image_bytes=[b"x"] * 4)
    assert caught.value.details().startswith("assertion failed: [no such image]")
    assert "BatchFunction" not in caught.value.details()


def test_padding_is_run_but_never_seen(batched):
    caller = batched("max_batch_size { value: 4 } allowed_batch_sizes: 4")
    answer = caller.predict("echo", image_bytes=[b"1", b"2", b"3"])
    assert answer["rows"].tolist() == [4, 4, 4]
    assert answer["echo"].tolist() == [b"1", b"2", b"3"]


def test_a_large_request_is_split_when_the_parameters_say_so(batched):
    caller = batched(
        "max_batch_size { value: 8 } max_execution_batch_size { value: 2 } enable_large_batch_splitting { value: true }"
    )
    answer = caller.predict("echo", image_bytes=[b"1", b"2", b"3", b"4", b"5"])
    assert answer["echo"].tolist() == [b"1", b"2", b"3", b"4", b"5"]
    assert max(answer["rows"]) == 2


def test_a_full_queue_refuses_with_unavailable(batched, tmp_path):
    caller = batched("max_batch_size { value: 1 } max_enqueued_batches { value: 1 } num_batch_threads { value: 1 }")
    message = request("gated", folder=[str(tmp_path).encode()])
    running = caller.prediction.Predict.future(message)
    wait_for(tmp_path / "started")
    with ThreadPoolExecutor(2) as pool:
        # One finds the queue's only place, the other finds it taken.
        rivals = [pool.submit(caller.prediction.Predict, message) for _ in range(2)]
        refused = wait(rivals, return_when=FIRST_COMPLETED).done.pop().exception()
        (tmp_path / "go").touch()
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert refused.details() == (
        "The batch scheduling queue to which this task was submitted is full; "
        "currently 1 batches enqueued and max_enqueued_batches is 1"
    )
    assert running.result().outputs["rows"].int_val[0] == 1
    assert sum(rival.exception() is None for rival in rivals) == 1


def test_a_caller_that_gives_up_does_not_fail_its_neighbour(batched, tmp_path):
    caller = batched(f"max_batch_size {{ value: 2 }} batch_timeout_micros {{ value: {FOR_EVER} }}")
    message = request("gated", folder=[str(tmp_path).encode()])
    patient = caller.prediction.Predict.future(message)
    second = threading.Event()
    impatient = caller.prediction.Predict.future(message, timeout=5)
    impatient.add_done_callback(lambda _: second.set())
    wait_for(tmp_path / "started")
    second.wait()
    assert impatient.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    # The server learns of it a moment later; were it to cancel the batch, it would do so now.
    time.sleep(0.5)
    (tmp_path / "go").touch()
    assert list(patient.result().outputs["rows"].int_val) == [2]
