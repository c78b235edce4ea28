"""One client for each process: settings travel, connections do not."""

import copy
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from inspect import signature
from multiprocessing import get_context

import pytest

import hubserve
from hubserve import TLS, AsyncClient, Client, Retry, Settings, UsageError, shared_client
from hubserve.testing import FakeServer


def a_token() -> str:
    return "the-secret-token"


async def an_async_token() -> str:
    return "the-secret-token"


class Tokens:
    """A token function with a state, which travels with it."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __call__(self) -> str:
        return self.value


def labels_of(settings: Settings) -> tuple[int, list[str | None]]:
    """Send an image in a child process."""
    client = shared_client(settings)
    assert shared_client(settings) is client
    return os.getpid(), [result.label for result in client.classify([b"cat", b"dog"])]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_settings_have_the_arguments_and_defaults_of_a_client(kind: type) -> None:
    of_client = {name: each.default for name, each in signature(kind).parameters.items()}
    of_settings = {name: each.default for name, each in signature(Settings).parameters.items()}

    assert of_settings == of_client
    assert {each.name for each in fields(Settings) if each.init} == set(of_client)


def test_settings_come_back_from_pickle_as_they_were() -> None:
    settings = Settings(
        ["a:1", "b:2"],
        model="m",
        version=3,
        tls=TLS(ca="ca.pem", certificate="client.pem", key="client.key"),
        token=a_token,
        retry=Retry(max_seconds=9),
        channel_options={"grpc.keepalive_time_ms": 60_000},
    )

    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own


@pytest.mark.parametrize("of", [lambda settings: settings, lambda settings: Client("a:1", **of_client(settings))])
def test_a_token_function_without_a_name_is_refused_with_a_remedy(of: Callable[[Settings], object]) -> None:
    value = a_token()
    settings = Settings("a:1", model="m", token=lambda: value, allow_plaintext_token=True)

    with pytest.raises(
        UsageError, match=r"token function cannot be pickled \(.*<lambda>.*\): give a function of a module"
    ):
        pickle.dumps(of(settings))
    assert copy.copy(settings) == copy.deepcopy(settings) == settings
    cloudpickle = pytest.importorskip("cloudpickle")
    assert pickle.loads(cloudpickle.dumps(settings)).token() == value  # noqa: S301 - our own


def of_client(settings: Settings) -> dict[str, object]:
    return {"model": settings.model, "token": settings.token, "allow_plaintext_token": True}


def test_an_object_with_a_token_that_cannot_be_pickled_is_refused_with_its_reason() -> None:
    settings = Settings("a:1", model="m", token=Tokens(threading.Lock()), allow_plaintext_token=True)

    with pytest.raises(UsageError, match=r"cannot be pickled .*lock"):
        pickle.dumps(settings)


def test_settings_show_no_secret() -> None:
    settings = Settings("a:1", model="m", tls=TLS(ca=b"ca", certificate=b"crt", key=b"the-key"), token="the-token")  # noqa: S106

    assert "the-key" not in repr(settings)
    assert "the-token" not in repr(settings)


def test_equal_settings_share_a_client_and_others_do_not() -> None:
    settings = Settings("localhost:1", model="m", channel_options={"a": 1, "b": 2})
    client = shared_client(settings)

    assert shared_client(Settings("localhost:1", model="m", channel_options={"b": 2, "a": 1})) is client
    assert shared_client(Settings("localhost:1", model="other", channel_options={"a": 1, "b": 2})) is not client
    assert shared_client(Settings(["localhost:1"], model="m")) is shared_client(Settings(("localhost:1",), model="m"))


def test_callers_with_other_tokens_do_not_share_a_client() -> None:
    one, other = (
        Settings("localhost:1", model="m", token=token, allow_plaintext_token=True)
        for token in (Tokens("one"), Tokens("other"))
    )

    assert shared_client(one) is not shared_client(other)


def test_a_token_function_that_was_unpickled_twice_is_the_same() -> None:
    settings = Settings("localhost:1", model="m", token=Tokens("one"), allow_plaintext_token=True)
    copies = [pickle.loads(pickle.dumps(settings)) for _ in range(2)]  # noqa: S301 - our own

    assert copies[0].token is not copies[1].token
    assert shared_client(copies[0]) is shared_client(copies[1])


def test_a_function_of_a_module_counts_by_its_name() -> None:
    one, other = (Settings("localhost:1", model="m", token=a_token, allow_plaintext_token=True) for _ in range(2))

    assert shared_client(one) is shared_client(other)


def test_a_client_that_was_closed_is_replaced() -> None:
    settings = Settings("localhost:1", model="closed")
    client = shared_client(settings)
    client.close()

    assert client.closed
    assert not shared_client(settings).closed


def test_old_clients_are_let_go_and_stay_open_for_those_who_hold_them() -> None:
    first = shared_client(Settings("localhost:1", model="first"))
    for number in range(20):
        shared_client(Settings("localhost:1", model=f"model {number}"))

    assert shared_client(Settings("localhost:1", model="first")) is not first
    assert not first.closed


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("localhost:8500", "needs Settings, not str"),
        (Settings("a:1", model="m", token=an_async_token, allow_plaintext_token=True), "not async"),
        (Settings("a:1", model="m", tls=TLS(ca="no-such.pem")), "no-such.pem cannot be read"),
    ],
)
def test_what_cannot_be_shared_is_refused(settings: Settings, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        shared_client(settings)


def test_many_threads_get_one_client_and_one_connection() -> None:
    with FakeServer() as server:
        settings = Settings(server.target, model="m")
        together = threading.Barrier(16)

        def ask(number: int) -> tuple[int, str | None]:
            together.wait()
            client = shared_client(settings)
            return id(client), next(iter(client.classify([b"%d" % number]))).label

        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(ask, range(16)))

    assert len({client for client, _ in answers}) == 1
    assert [label for _, label in answers] == [str(number) for number in range(16)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_settings_work_in_another_process(method: str) -> None:
    # A process of its own: this one has used gRPC, and a fork of it may not.
    program = (
        "import os, sys; from multiprocessing import get_context\n"
        "import test_shared_client as here\n"
        "from hubserve import Settings, shared_client\n"
        "if __name__ == '__main__':\n"
        "    settings = Settings(sys.argv[1], model='m', token=here.a_token, allow_plaintext_token=True)\n"
        "    shared_client(settings)\n"
        "    with get_context(sys.argv[2]).Pool(2) as pool:\n"
        "        answers = pool.map(here.labels_of, [settings] * 4)\n"
        "    assert all(labels == ['cat', 'dog'] for _, labels in answers), answers\n"
        "    assert os.getpid() not in {process for process, _ in answers}\n"
        "    print(here.labels_of(settings)[1])\n"
    )
    assert get_context(method)
    with FakeServer() as server:
        done = subprocess.run(
            [sys.executable, "-c", program, server.target, method],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), "tests"])},
            capture_output=True,
            text=True,
            timeout=120,
        )

    assert done.stdout == "['cat', 'dog']\n", done.stderr
    assert done.returncode == 0
    assert {request.metadata["authorization"] for request in server.requests} == {"Bearer the-secret-token"}


def test_a_program_that_never_closes_it_ends_without_a_word() -> None:
    program = (
        "import sys; from hubserve import Settings, shared_client\n"
        "client = shared_client(Settings([sys.argv[1], sys.argv[1]], model='m'))\n"
        "print(next(iter(client.classify([b'cat']))).label)\n"
    )
    with FakeServer() as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, server.target], capture_output=True, text=True, timeout=60
        )

    assert (done.returncode, done.stdout, done.stderr) == (0, "cat\n", "")


def test_both_names_are_public() -> None:
    assert {"Settings", "shared_client"} <= set(hubserve.__all__)
