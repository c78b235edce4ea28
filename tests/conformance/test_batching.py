"""Batching: callers share runs, and no caller sees a difference.

Release 2.20.0: `batching/batching_session.cc`; and TensorFlow's `core/kernels/batching_util/shared_batch_scheduler.h`.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import grpc
import numpy as np
import pytest

from conformance.own_server import Own
from conformance.subject import refusal
from serve.calls import PATIENCE, Caller, calling, request, wait_for
from serve.toys import model_dir

Serve = Callable[[str], Caller]

FOR_EVER = 3_600_000_000
FULL_ONLY = f"""
max_batch_size {{ value: 4 }}
batch_timeout_micros {{ value: {FOR_EVER} }}  # a batch runs when it is full, and only then
allowed_batch_sizes: [1, 2, 4]
"""
ONE_AT_A_TIME = "max_batch_size { value: 1 } num_batch_threads { value: 1 }"


@pytest.fixture(scope="module")
def merging(toy: Path, tmp_path_factory: pytest.TempPathFactory, own_server: Own) -> Iterator[Caller]:
    base = model_dir(toy, tmp_path_factory.mktemp("merging") / "toy", batching=FULL_ONLY)
    with own_server(base) as server, calling(server.target) as caller:
        yield caller


def at_once(*calls: Callable[[], object]) -> list:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def gate(folder: Path, opened: bool = False) -> bytes:
    """A folder for the toy's signature `gated`, which waits for the file `go` in it."""
    folder.mkdir()
    if opened:
        (folder / "go").touch()
    return str(folder).encode()


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
    a, b = np.arange(8, dtype="f").reshape(4, 2), np.ones([4, 2], "f")
    assert merging.predict("subtract", a=a, b=b)["difference"].tolist() == (a - b).tolist()


def test_callers_who_want_other_outputs_are_not_merged(merging: Caller):
    """BatchingSession keeps a queue for every set of inputs and outputs."""
    filtered = request("echo", image_bytes=[b"1", b"2"])
    filtered.output_filter.append("rows")
    whole = request("echo", image_bytes=[b"3", b"4"])
    pairs = [merging.prediction.Predict.future(message) for message in (filtered, whole)]
    # Either pair of rows waits for two more that want the same.
    answers = [merging.prediction.Predict(message) for message in (filtered, whole)]
    assert [list(answer.outputs["rows"].int_val) for answer in answers] == [[4, 4], [4, 4]]
    assert [set(pair.result(PATIENCE).outputs) for pair in pairs] == [{"rows"}, {"echo", "run", "rows"}]


def test_a_request_larger_than_the_largest_batch(merging: Caller):
    """shared_batch_scheduler.h."""
    words = "Task size 5 is larger than maximum input batch size 4"
    message = request(image_bytes=[b"x"] * 5)
    assert refusal(merging.prediction.Predict, message) == (grpc.StatusCode.INVALID_ARGUMENT, words)


def test_inputs_of_different_numbers_of_rows(merging: Caller):
    """batching_session.cc."""
    words = "Batching Run() input tensors must have equal 0th-dimension size"
    message = request("subtract", a=np.ones([2, 2], "f"), b=np.ones([3, 2], "f"))
    assert refusal(merging.prediction.Predict, message) == (grpc.StatusCode.INVALID_ARGUMENT, words)


def test_an_input_without_rows(merging: Caller):
    """batching_session.cc."""
    words = "Batching Run() input tensors must have at least one dimension"
    message = request("subtract", a=np.float32(1), b=np.ones([3, 2], "f"))
    assert refusal(merging.prediction.Predict, message) == (grpc.StatusCode.INVALID_ARGUMENT, words)


def test_no_rows_get_no_rows_at_once(merging: Caller, real: bool):
    if real:
        pytest.skip("TensorFlow Serving lets the caller wait until its deadline, which is not promised")
    assert merging.predict(image_bytes=[])["scores"].shape == (0, 2)


def test_a_caller_with_a_wrong_dtype_is_refused_and_the_others_merge_without_it(merging: Caller, real: bool):
    """TensorFlow's direct_session.cc has the words. TensorFlow Serving merges first, and refuses all of the batch."""
    good = [merging.prediction.Predict.future(request("echo", image_bytes=[b"x"])) for _ in range(3)]
    words = "Expects arg[0] to be string but float is provided"
    message = request("echo", image_bytes=np.float32([1]))
    if real:
        code, words = refusal(merging.prediction.Predict, message)
        assert (code, "Tensor concat operation failed" in words) == (grpc.StatusCode.INTERNAL, True)
        assert [call.code() for call in good] == [code] * 3
        return
    assert refusal(merging.prediction.Predict, message) == (grpc.StatusCode.INVALID_ARGUMENT, words)
    assert merging.predict("echo", image_bytes=[b"x"])["rows"].tolist() == [4]
    assert [list(call.result(PATIENCE).outputs["rows"].int_val) for call in good] == [[4]] * 3


def test_a_failing_run_fails_all_that_were_merged_with_the_models_words(merging: Caller):
    """ProcessBatch gives every task the status of the run: isolating bad images is the model's work."""
    pair = merging.prediction.Predict.future(request("failing", image_bytes=[b"x"] * 2))
    code, words = refusal(merging.prediction.Predict, request("failing", image_bytes=[b"x"] * 2))
    assert (code, words) == (pair.code(), pair.details())
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert words.startswith("assertion failed: [no such image]")


def test_padding_is_run_but_never_seen(batched: Serve):
    caller = batched("max_batch_size { value: 4 } allowed_batch_sizes: 4")
    answer = caller.predict("echo", image_bytes=[b"1", b"2", b"3"])
    assert answer["rows"].tolist() == [4, 4, 4]
    assert answer["echo"].tolist() == [b"1", b"2", b"3"]


def test_a_large_request_is_split_when_the_parameters_say_so(batched: Serve):
    caller = batched(
        "max_batch_size { value: 8 } max_execution_batch_size { value: 2 } enable_large_batch_splitting { value: true }"
    )
    answer = caller.predict("echo", image_bytes=[b"1", b"2", b"3", b"4", b"5"])
    assert answer["echo"].tolist() == [b"1", b"2", b"3", b"4", b"5"]
    assert max(answer["rows"]) == 2


def test_a_full_queue_refuses_with_unavailable(batched: Serve, tmp_path: Path):
    """shared_batch_scheduler.h."""
    caller = batched(f"{ONE_AT_A_TIME} max_enqueued_batches {{ value: 1 }}")
    message = request("gated", folder=[gate(tmp_path / "gate")])
    running = caller.prediction.Predict.future(message)
    wait_for(tmp_path / "gate" / "started")
    with ThreadPoolExecutor(2) as pool:
        # One finds the queue's only place, the other finds it taken.
        rivals = [pool.submit(caller.prediction.Predict, message) for _ in range(2)]
        refused = wait(rivals, return_when=FIRST_COMPLETED).done.pop().exception()
        (tmp_path / "gate" / "go").touch()
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert refused.details() == (
        "The batch scheduling queue to which this task was submitted is full; "
        "currently 1 batches enqueued and max_enqueued_batches is 1"
    )
    assert running.result().outputs["rows"].int_val[0] == 1
    assert sum(rival.exception() is None for rival in rivals) == 1


def expired(caller: Caller, message) -> None:
    """Send a request, and return when the server has answered that its deadline passed."""
    # The deadline is the server's alone: a client's own would pass a little before the server's.
    with pytest.raises(grpc.RpcError) as caught:
        caller.prediction.Predict(message, metadata=[("grpc-timeout", "1S")])
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_what_expired_in_the_queue_is_not_run(batched: Serve, tmp_path: Path):
    """ProcessBatch: if the deadlines of all tasks have passed, they get an error and nothing is run."""
    caller = batched(ONE_AT_A_TIME)
    running = caller.prediction.Predict.future(request("gated", folder=[gate(tmp_path / "running")]))
    wait_for(tmp_path / "running" / "started")
    expired(caller, request("gated", folder=[gate(tmp_path / "expired", opened=True)]))
    (tmp_path / "running" / "go").touch()
    assert list(running.result(PATIENCE).outputs["rows"].int_val) == [1]
    # The next caller is answered after the turn of the expired one.
    assert caller.predict("gated", folder=[gate(tmp_path / "next", opened=True)])["rows"].tolist() == [1]
    assert not (tmp_path / "expired" / "started").exists()


def test_who_expired_in_the_queue_does_not_fail_the_neighbour(batched: Serve, tmp_path: Path):
    """ProcessBatch: a batch with one task in time is run, with the longest of the deadlines."""
    caller = batched("max_batch_size { value: 2 } num_batch_threads { value: 1 }")
    running = caller.prediction.Predict.future(request("gated", folder=[gate(tmp_path / "running")] * 2))
    wait_for(tmp_path / "running" / "started")
    message = request("gated", folder=[gate(tmp_path / "batch", opened=True)])
    patient = caller.prediction.Predict.future(message, timeout=PATIENCE)
    expired(caller, message)
    (tmp_path / "running" / "go").touch()
    assert list(running.result(PATIENCE).outputs["rows"].int_val) == [2, 2]
    assert list(patient.result().outputs["rows"].int_val) == [2]


def test_a_caller_that_gives_up_in_mid_run_does_not_fail_the_neighbour(batched: Serve, tmp_path: Path):
    caller = batched(f"max_batch_size {{ value: 2 }} batch_timeout_micros {{ value: {FOR_EVER} }}")
    message = request("gated", folder=[gate(tmp_path / "gate")])
    patient = caller.prediction.Predict.future(message)
    # The two make up the batch, so that it is running when one of them has given up.
    expired(caller, message)
    assert (tmp_path / "gate" / "started").exists()
    (tmp_path / "gate" / "go").touch()
    assert list(patient.result(PATIENCE).outputs["rows"].int_val) == [2]
