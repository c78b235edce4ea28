"""Versions: which one answers, and how one takes over from another.

Release 2.20.0: `model_servers/server_core.cc`, `core/availability_preserving_policy.cc`, `core/basic_manager.cc`.
TF Serving looks at the folder every second (--file_system_poll_wait_seconds); these servers look more often.
"""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis import get_model_status_pb2

from conformance.subject import refusal
from hubserve_serve import EmbeddedServer, ModelDirectoryError
from serve.calls import PATIENCE, Caller, predict_log, request, status_request, wait_for, write_warmup
from serve.toys import model_dir

State = get_model_status_pb2.ModelVersionStatus
Serve = Callable[..., Caller]


def answering(caller: Caller, **choice) -> int:
    """The version that answers a request for the chosen one."""
    message = request("echo", image_bytes=[b"x"])
    if "version" in choice:
        message.model_spec.version.value = choice["version"]
    elif "label" in choice:
        message.model_spec.version_label = choice["label"]
    return caller.prediction.Predict(message, timeout=PATIENCE).model_spec.version.value


def states(caller: Caller) -> dict[int, int]:
    entries = caller.models.GetModelStatus(status_request(), timeout=PATIENCE).model_version_status
    return {entry.version: entry.state for entry in entries}


def wait_until(caller: Caller, wanted: dict[int, int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while (there := states(caller)) != wanted:
        assert time.monotonic() < deadline, there
        time.sleep(0.02)


def publish(base: Path, version: int, *, toy: Path, warmup: bytes | None = None, broken: bool = False) -> None:
    """Put a version into the folder at once, as an exporter does."""
    made = shutil.copytree(toy, base / f".tmp-{version}")
    if warmup is not None:
        write_warmup(made, warmup)
    if broken:
        shutil.rmtree(made / "variables")
    made.rename(base / str(version))


@pytest.fixture
def base(toy: Path, tmp_path: Path) -> Path:
    return model_dir(toy, tmp_path / "toy", 1, 3)


def test_the_highest_version_answers_and_the_others_are_not_loaded(base: Path, serve: Serve):
    """basic_manager.cc, GetUntypedServableHandle."""
    caller = serve(base)
    assert states(caller) == {3: State.AVAILABLE}
    assert answering(caller) == 3
    with pytest.raises(grpc.RpcError) as caught:
        answering(caller, version=1)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "Servable not found for request: Specific(toy, 1)"


def test_versions_served_together_answer_by_number_and_the_highest_by_default(base: Path, serve: Serve):
    caller = serve(base, version=(1, 3))
    # The highest comes first (servable_state_monitor.h, VersionMap).
    assert list(states(caller).items()) == [(3, State.AVAILABLE), (1, State.AVAILABLE)]
    assert [answering(caller, version=1), answering(caller, version=3), answering(caller)] == [1, 3, 3]


def test_a_model_answers_by_the_name_it_is_served_under(base: Path, serve: Serve):
    caller = serve(base, version=1, name="other")
    spec = caller.prediction.Predict(request(model="other", image_bytes=[b"x"]), timeout=PATIENCE).model_spec
    assert (spec.name, spec.version.value) == ("other", 1)


def test_a_version_answers_by_its_label(base: Path, serve: Serve):
    """server_core.cc, GetModelVersionForLabel."""
    caller = serve(base, version=(1, 3), version_labels={"stable": 1, "canary": 3})
    assert [answering(caller, label="stable"), answering(caller, label="canary")] == [1, 3]
    message = request("echo", image_bytes=[b"x"])
    message.model_spec.version_label = "beta"
    words = "Unrecognized servable version label: beta"
    assert refusal(caller.prediction.Predict, message) == (grpc.StatusCode.INVALID_ARGUMENT, words)


def test_a_label_of_a_version_that_is_not_served_stops_the_start(base: Path, own: None):
    """UpdateModelVersionLabelMap refuses it, unless --allow_version_labels_for_unavailable_models is given."""
    with pytest.raises(ModelDirectoryError, match="label stable names version 1, which is not served"):
        EmbeddedServer(base, version_labels={"stable": 1}).start()


def test_a_new_version_is_loading_until_it_is_warm_and_the_old_one_answers_meanwhile(
    base: Path, serve: Serve, toy: Path, tmp_path: Path
):
    caller = serve(base)
    publish(base, 4, toy=toy, warmup=predict_log("gated", folder=[str(tmp_path).encode()]))
    wait_for(tmp_path / "started")
    assert states(caller) == {3: State.AVAILABLE, 4: State.LOADING}
    assert answering(caller) == 3
    (tmp_path / "go").touch()
    wait_until(caller, {3: State.END, 4: State.AVAILABLE})
    assert answering(caller) == 4


def test_an_old_version_is_unloading_until_its_last_call_is_answered(
    base: Path, serve: Serve, toy: Path, tmp_path: Path, real: bool
):
    """basic_manager.cc. In TensorFlow Serving the new version stays LOADING, and the old one AVAILABLE, until then."""
    caller = serve(base)
    in_flight = caller.prediction.Predict.future(request("gated", folder=[str(tmp_path).encode()]))
    wait_for(tmp_path / "started")
    publish(base, 4, toy=toy)
    wait_until(caller, {3: State.AVAILABLE, 4: State.LOADING} if real else {3: State.UNLOADING, 4: State.AVAILABLE})
    assert answering(caller) == (3 if real else 4)
    (tmp_path / "go").touch()
    assert in_flight.result(PATIENCE).model_spec.version.value == 3
    wait_until(caller, {3: State.END, 4: State.AVAILABLE})


def test_a_swap_under_load_loses_nothing(base: Path, serve: Serve, toy: Path):
    caller = serve(base)
    with ThreadPoolExecutor(4) as pool:

        def until_the_new_one_answers() -> list[int]:
            answers = [answering(caller)]
            deadline = time.monotonic() + PATIENCE
            while answers[-1] != 4 and time.monotonic() < deadline:
                answers.append(answering(caller))
            return answers

        callers = [pool.submit(until_the_new_one_answers) for _ in range(4)]
        publish(base, 4, toy=toy)
        answers = [caller.result() for caller in callers]
    assert all(versions == sorted(versions) and versions[-1] == 4 for versions in answers)
    wait_until(caller, {3: State.END, 4: State.AVAILABLE})


@pytest.mark.parametrize("flaw", ["variables", "warm-up"])
def test_a_broken_new_version_leaves_the_old_one_serving_and_tells_its_error(
    base: Path, serve: Serve, toy: Path, flaw: str, real: bool
):
    """TensorFlow Serving loads a SavedModel without its variables, unless warm-up records, as of an export, fail it."""
    caller = serve(base)
    if real and flaw == "variables":
        publish(base, 4, toy=toy, broken=True)
        wait_until(caller, {3: State.END, 4: State.AVAILABLE})
        return
    failing = predict_log("failing", image_bytes=[b"x"]) if flaw == "warm-up" else None
    publish(base, 4, toy=toy, broken=flaw == "variables", warmup=failing)
    wait_until(caller, {3: State.AVAILABLE, 4: State.END})
    (entry,) = caller.models.GetModelStatus(status_request(version=4), timeout=PATIENCE).model_version_status
    assert entry.status.error_code != 0
    assert ("no such image" if failing else "variables") in entry.status.error_message
    assert answering(caller) == 3
    # And the next one takes over.
    publish(base, 5, toy=toy)
    wait_until(caller, {3: State.END, 4: State.END, 5: State.AVAILABLE})
    assert answering(caller) == 5


def test_a_version_that_is_taken_away_is_unloaded(base: Path, serve: Serve):
    """basic_manager.cc, GetUntypedServableHandle."""
    caller = serve(base, version=(1, 3))
    (base / "3").rename(base / "away")
    wait_until(caller, {1: State.AVAILABLE, 3: State.END})
    assert answering(caller) == 1
    (base / "1").rename(base / "away too")
    wait_until(caller, {1: State.END, 3: State.END})
    words = "Servable not found for request: Latest(toy)"
    message = request("echo", image_bytes=[b"x"])
    assert refusal(caller.prediction.Predict, message) == (grpc.StatusCode.NOT_FOUND, words)
    # It comes back, and answers again.
    (base / "away").rename(base / "3")
    wait_until(caller, {1: State.END, 3: State.AVAILABLE})
    assert answering(caller) == 3


def test_a_model_whose_whole_folder_vanished_is_still_served(base: Path, serve: Serve, toy: Path, tmp_path: Path):
    """PollFileSystemForServable takes a folder that is not there for a passing fault of the file system."""
    caller = serve(base)
    base.rename(tmp_path / "away")
    # A few looks of the server long.
    for _ in range(100):
        assert answering(caller) == 3
    (tmp_path / "away").rename(base)
    publish(base, 4, toy=toy)
    wait_until(caller, {3: State.END, 4: State.AVAILABLE})
