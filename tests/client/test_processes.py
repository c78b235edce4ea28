"""Clients across processes, event loops and threads, in real processes: they work, or raise a clear error at once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.test_first_requests import of_all_verbs
from hubserve.testing import FakeServer, Request

TESTS = Path(__file__).parents[1]
AT_WORK = "UsageError gRPC was in use when this process was forked, and does not work after that: "


def run(name: str, *arguments: str, stdin: str = "", **options) -> list[str]:
    """The lines that a program prints; it must end with 0, and print no other errors than gRPC's note about a fork."""
    program = [sys.executable, "-X", "dev", "-m", "client.process_programs", name, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(TESTS), **options.pop("environment", {})}
    done = subprocess.run(
        program, input=stdin, capture_output=True, text=True, check=False, timeout=300, env=environment, **options
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "skipping fork() handlers" not in line]
    assert said == [], done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture
def two(server: FakeServer) -> Iterator[list[str]]:
    with FakeServer() as other:
        yield [server.target, other.target]


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@forks
@pytest.mark.parametrize("several", [False, True])
def test_a_client_and_a_batcher_made_before_a_fork_work_in_each_child(two: list[str], several: bool) -> None:
    lines = run("fork_before_the_first_call", *two[: 1 + several])
    assert lines == ["child: ('cat', 'dog', None)", "child: ('cat', 'dog', None)", "0 0 cat dog"]


@forks
def test_a_client_of_one_server_that_was_used_before_a_fork_works_in_the_child(server: FakeServer) -> None:
    assert run("fork_after_a_call", server.target) == ["child: ('cat', 'dog', None)", "0 cat dog"]


@forks
def test_a_fork_while_an_answer_is_awaited_makes_clients_say_so_in_the_child(server: FakeServer) -> None:
    release, write = os.pipe()
    os.set_inheritable(write, True)

    def before(request: Request) -> None:
        if request.images == (b"wait",):
            os.read(release, 1)

    server.before = before
    lines = run("fork_in_flight", server.target, environment={"RELEASE": str(write)}, pass_fds=[write])
    os.close(release)
    os.close(write)
    assert [line[:120] for line in lines[:3]] == [f"child: {AT_WORK}fork before the first call of any "[:120]] * 3
    assert lines[3:] == ["(0, 0, 0)", "cat"]


@forks
def test_a_client_of_several_servers_that_was_used_before_a_fork_works_in_the_child(two: list[str]) -> None:
    assert run("fork_of_several_after_a_call", *two) == ["child: cat", "child: cat", "0 0 cat"]


@forks
def test_asyncio_after_a_fork_works_where_it_was_not_used_before(server: FakeServer) -> None:
    assert run("fork_before_asyncio", server.target) == ["child: cat", "0 cat"]
    said, rest = run("fork_after_asyncio", server.target)
    assert said.startswith(f"child: {AT_WORK}")
    assert rest == "0"


@forks
def test_results_of_a_call_belong_to_the_process_that_began_it(server: FakeServer) -> None:
    said, rest = run("fork_in_a_loop_over_results", server.target)
    assert "UsageError" in said
    assert "call again after a fork" in said
    assert rest == "0 cat 29"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_client_goes_to_a_process_that_is_started_anew(method: str, server: FakeServer) -> None:
    assert run(method, server.target) == ["cat None 0"]


def test_a_pickled_client_is_a_new_one_of_the_same_arguments_and_a_batcher_says_what_to_send(
    server: FakeServer,
) -> None:
    first, second = run("pickled", server.target)
    assert first == f"cat <Client of model m at {server.target}> <AsyncClient of model m at {server.target}>"
    assert second == "a batcher cannot be sent to another process: send its client, and make a batcher there"
    assert {request.metadata.get("authorization") for request in server.requests} == {"Bearer secret"}


def test_an_async_client_and_its_batcher_work_on_a_second_event_loop(server: FakeServer) -> None:
    assert run("second_loop", server.target) == ["('cat', 'cat', 'm', True) ('cat', 'cat', 'm', True)", "closed"]


def test_an_async_client_says_that_it_is_in_use_on_another_event_loop(server: FakeServer) -> None:
    client = "this AsyncClient is in use on another event loop: make one on each loop"
    batcher = "this batcher is in use on another event loop: make one on each loop"
    assert run("loop_beside", server.target) == [client, batcher, client, client, "cat"]


def with_waiting(name: str, waits: int) -> list[str]:
    """Run a program, and write a line to its standard input for each request that will not be answered."""
    read, write = os.pipe()
    with FakeServer(predict=of_all_verbs) as server:

        def before(request: Request) -> None:
            if request.images == (b"wait",):
                os.write(write, b"\n")
                server._stopping.wait()

        server.before = before
        program = [sys.executable, "-X", "dev", "-m", "client.process_programs", name, server.target]
        environment = {**os.environ, "PYTHONPATH": str(TESTS)}
        done = subprocess.run(
            program, stdin=read, capture_output=True, text=True, check=False, timeout=300, env=environment
        )
    os.close(read)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
    assert sum(request.images == (b"wait",) for request in server.requests) == waits
    return done.stdout.splitlines()


def test_a_client_that_is_closed_in_another_thread_wakes_everyone_who_waits() -> None:
    assert with_waiting("closed_in_another_thread", 4) == [str(["closed"] * 6)]


def test_a_program_ends_though_clients_are_open_and_answers_are_awaited() -> None:
    assert with_waiting("ends_while_asking", 1) == ["ends"]


def test_a_program_ends_though_a_client_of_several_servers_is_open(two: list[str]) -> None:
    for _ in range(5):
        assert run("ends_while_it_watches", *two) == ["cat"]


def test_a_client_can_be_asked_and_closed_while_the_interpreter_ends(server: FakeServer) -> None:
    lines = run("asks_at_exit", server.target)
    assert lines[-1] == "closed"
    # Python 3.12 and newer start no threads then. It depends on gRPC's threads whether one is needed.
    answered = lines[:-1] == [lines[0], "late: 1 cat"]
    assert answered or (sys.version_info >= (3, 12) and lines[:-1] == ["late: ClientClosed"])
