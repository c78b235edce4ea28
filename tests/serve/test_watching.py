import shutil
import threading
import time

import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2

from hubserve_serve import EmbeddedServer
from hubserve_serve._manager import Manager
from hubserve_serve._store import Store
from hubserve_serve._watcher import Watcher
from serve.calls import PATIENCE, calling, predict_log, request, status_request, wait_for, write_warmup
from serve.toys import model_dir


class Lines:
    """The server's reports, and a way to wait for them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def wait_for(self, start: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while not (found := [line for line in self.lines if line.startswith(start)]):
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.02)
        return found[0]


def test_changes_of_versions_are_reported(toy, tmp_path):
    base, lines = model_dir(toy, tmp_path / "toy", 1), Lines()
    with EmbeddedServer(base, poll_seconds=0.05, report=lines.lines.append) as server:
        (base / "2").mkdir()
        assert "cannot load" in lines.wait_for("version 2 is not served: TensorFlow")
        model_dir(toy, tmp_path / "other", 3)
        (tmp_path / "other" / "3").rename(base / "3")
        lines.wait_for("version 1 is unloaded")
        assert server.version == 3
    assert lines.lines[-3:] == [f"loading {base / '3'}", "version 3 is served", "version 1 is unloaded"]


def test_a_version_that_failed_is_not_loaded_again_until_it_has_been_away(toy, tmp_path):
    base, lines = model_dir(toy, tmp_path / "toy", 1), Lines()
    manager = Manager("toy")
    watcher = Watcher(manager, Store(base), None, lines.lines.append)
    watcher.look()
    (base / "2").mkdir()
    watcher.look()
    told = list(lines.lines)
    assert told[-1].startswith("version 2 is not served")
    watcher.look()
    assert lines.lines == told

    (base / "2").rmdir()
    watcher.look()
    assert manager.available() == {1}
    shutil.copytree(toy, base / "2")
    watcher.look()
    assert manager.available() == {2}
    manager.close()


def test_stopping_while_a_version_warms_up_does_not_wait_for_it(toy, tmp_path):
    base = model_dir(toy, tmp_path / "toy", 1)
    before = set(threading.enumerate())
    server = EmbeddedServer(base, poll_seconds=0.02)
    server.start()
    model_dir(toy, tmp_path / "other", 2)
    write_warmup(tmp_path / "other" / "2", predict_log("gated", folder=[str(tmp_path).encode()]))
    (tmp_path / "other" / "2").rename(base / "2")
    wait_for(tmp_path / "started")
    with calling(server.target) as caller:
        assert caller.prediction.Predict(request(image_bytes=[b"x"])).model_spec.version.value == 1
        server.stop()
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "versions"]


def test_stopping_while_an_old_version_waits_for_its_last_call_cuts_that_off_too(toy, tmp_path):
    base, lines = model_dir(toy, tmp_path / "toy", 1), Lines()
    before = set(threading.enumerate())
    server = EmbeddedServer(base, poll_seconds=0.02, drain_seconds=0.2, report=lines.lines.append)
    server.start()
    with calling(server.target) as caller:
        endless = caller.prediction.Predict.future(request("gated", folder=[str(tmp_path).encode()]))
        wait_for(tmp_path / "started")
        model_dir(toy, tmp_path / "other", 2)
        (tmp_path / "other" / "2").rename(base / "2")
        lines.wait_for("version 2 is served")
        server.stop()
        assert endless.exception(PATIENCE) is not None
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not [name for name in left if name == "versions" or name.startswith("rpc")]


def wait_until_available(manager: Manager, *versions: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while manager.available() != set(versions):
        assert time.monotonic() < deadline, manager.available()
        time.sleep(0.02)


def test_versions_come_and_go_without_a_terminal(toy, tmp_path, caplog):
    def broken(line: str) -> None:
        raise BrokenPipeError(line)

    manager = Manager("toy")
    watcher = Watcher(manager, Store(model_dir(toy, tmp_path / "toy", 1)), None, broken)
    watcher.start(0.02)
    wait_until_available(manager, 1)
    model_dir(toy, tmp_path / "other", 2)
    (tmp_path / "other" / "2").rename(tmp_path / "toy" / "2")
    wait_until_available(manager, 2)
    watcher.stop()
    watcher.join(PATIENCE)
    assert "a line of progress could not be reported: version 2 is served" in caplog.messages
    manager.close()


def test_a_look_that_fails_is_logged_and_followed_by_the_next(toy, tmp_path, caplog):
    class Faulty(Store):
        looks = 0

        def look(self):
            self.looks += 1
            if self.looks == 1:
                raise MemoryError
            return super().look()

    manager = Manager("toy")
    watcher = Watcher(manager, Faulty(model_dir(toy, tmp_path / "toy", 1)), None, lambda _: None)
    watcher.start(0.02)
    wait_until_available(manager, 1)
    watcher.stop()
    watcher.join(PATIENCE)
    assert caplog.messages == ["Looking for versions of toy failed; the watcher continues"]
    manager.close()


def test_a_version_that_fails_in_an_unforeseen_way_has_ended_with_that_error():
    manager = Manager("toy")

    def make():
        raise MemoryError("no room")

    with pytest.raises(MemoryError):
        manager.load(1, make, lambda _: None)
    (entry,) = manager.status(status_request().model_spec).model_version_status
    assert entry.state == get_model_status_pb2.ModelVersionStatus.END
    assert entry.status.error_code == tf.errors.UNKNOWN
    assert entry.status.error_message == "version 1 of toy cannot be loaded (MemoryError('no room'))"
