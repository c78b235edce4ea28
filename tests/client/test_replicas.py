"""Several servers, each a process: even load, one killed, one added, one slow, one not ready."""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import grpc
import pytest

from client.shells import SHELLS, classify
from hubserve import Client, Retry, UsageError
from hubserve._transport.channel import Turns, grpc_targets
from hubserve.testing import FakeServer

State = grpc.ChannelConnectivity
Start = Callable[..., "Replica"]


@dataclass
class Replica:
    """A fake server's process; its version distinguishes its answers from others."""

    process: subprocess.Popen[str]
    target: str

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def started(version: int, *options: str) -> Replica:
            command = [sys.executable, "-m", "hubserve.testing", "--version", str(version), *options]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            return Replica(process, process.stdout.readline().strip())

        yield started


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def labels(results: list) -> list[str]:
    return [result.label for result in results]


@pytest.mark.parametrize("shell", SHELLS)
def test_requests_are_spread_evenly(shell: str, start: Start):
    replicas = [start(version) for version in (1, 2, 3)]

    results = classify(shell, [replica.target for replica in replicas], numbered(450), max_batch_size=5, concurrency=3)

    assert labels(results) == [str(number) for number in range(450)]
    asked = [result.model_version for result in results[::5]]
    # From the moment on when all three were connected to.
    first = next(n for n in range(len(asked)) if set(Counter(asked[n : n + 6]).values()) == {2})
    answered = Counter(asked[first:])
    assert len(answered) == 3
    assert max(answered.values()) - min(answered.values()) <= 4


@pytest.mark.parametrize("shell", SHELLS)
def test_one_that_is_killed_in_mid_run_costs_no_image(shell: str, start: Start):
    replicas = [start(version, "--seconds", "0.01") for version in (1, 2, 3)]

    def images() -> Iterator[bytes]:
        for image in numbered(400):
            if image == b"100":
                replicas[0].kill()
            yield image

    results = classify(shell, [replica.target for replica in replicas], images(), max_batch_size=5)

    assert labels(results) == [str(number) for number in range(400)]
    assert Counter(result.model_version for result in results[300:]).keys() == {2, 3}


def test_one_that_comes_later_gets_its_share(start: Start):
    first = start(1)
    with FakeServer() as placeholder:
        later = placeholder.target
    with Client([first.target, later], model="m", max_batch_size=1, concurrency=2) as client:
        assert {result.model_version for result in client.classify(numbered(10))} == {1}

        start(2, "--port", later.rpartition(":")[2])

        # gRPC looks for it again within two seconds.
        seen: set[int | None] = set()
        enough = threading.Timer(30, seen.update, [[1, 2]])
        enough.start()
        while 2 not in seen:
            seen.update(result.model_version for result in client.classify(numbered(10)))
        assert enough.is_alive()
        enough.cancel()


def test_a_slow_one_does_not_hold_up_the_answers_of_the_others(start: Start):
    slow, quick = start(1, "--seconds", "0.5"), start(2)
    with Client([slow.target, quick.target], model="m", max_batch_size=1, concurrency=6) as client:
        seen: set[int | None] = set()
        while seen != {1, 2}:
            seen.update(result.model_version for result in client.classify(numbered(2)))

        results = list(client.classify(numbered(6), ordered=False))

    assert [result.model_version for result in results] == [2, 2, 2, 1, 1, 1]


def test_one_that_says_it_is_not_healthy_gets_no_calls():
    with FakeServer(version=1) as one, FakeServer(version=2) as other:
        one.ready = False
        with Client([one.target, other.target], model="m", max_batch_size=1) as client:
            results = list(client.classify(numbered(20)))

    assert {result.model_version for result in results} == {2}


def test_a_hanging_one_is_given_up_at_the_deadline_and_its_images_go_elsewhere():
    with FakeServer(version=1) as hanging, FakeServer(version=2) as other:
        hanging.then(60.0, times=100)
        with Client(
            [hanging.target, other.target], model="m", timeout=0.3, max_batch_size=5, retry=Retry(first_delay=0.001)
        ) as client:
            results = list(client.classify(numbered(40)))

    assert labels(results) == [str(number) for number in range(40)]


@pytest.mark.parametrize(
    ("target", "made"),
    [
        ("localhost:8500", (["localhost:8500"], False)),
        ("dns:///models:8500", (["dns:///models:8500"], True)),
        (["models:8500"], (["models:8500"], False)),
        (["one:8500", "10.0.0.2:8501", "one:8500"], (["one:8500", "10.0.0.2:8501"], True)),
        (["[::1]:8500", "[fe80::1%eth0]:8501"], (["[::1]:8500", "[fe80::1%eth0]:8501"], True)),
    ],
)
def test_targets_are_what_grpc_takes(target: object, made: tuple[list[str], bool]):
    assert grpc_targets(target) == made


def test_turns_go_round_those_that_are_connected_and_else_those_that_may_be():
    turns = Turns(3)
    assert [turns.next() for _ in range(4)] == [0, 1, 2, 0]

    turns.note(1, State.TRANSIENT_FAILURE)
    assert {turns.next() for _ in range(4)} == {0, 2}

    turns.note(2, State.READY)
    assert {turns.next() for _ in range(4)} == {2}

    for place in range(3):
        turns.note(place, State.TRANSIENT_FAILURE)
    assert {turns.next() for _ in range(3)} == {0, 1, 2}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ([], "this list is empty"),
        (["127.0.0.1:1", "no/where"], "must be HOST:PORT, and 'no/where' is not"),
        (["127.0.0.1:1", "dns:///models:1"], "must be HOST:PORT, and 'dns:///models:1' is not"),
        (["::1:1", "127.0.0.1:1"], "must be HOST:PORT"),
    ],
)
def test_lists_that_are_not_targets_are_refused(target: list[str], words: str):
    with pytest.raises(UsageError, match=words):
        Client(target, model="m")


def test_channel_options_win_over_the_clients_own():
    with FakeServer() as server:
        options = {"grpc.max_receive_message_length": 10}
        with Client(server.target, model="m", channel_options=options) as client:
            (result,) = client.classify([b"cat"])

    assert "larger than max" in result.error
