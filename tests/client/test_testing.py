"""The fake server for users' tests: its promises, checked through the client."""

import socket
from contextlib import ExitStack

import numpy as np
import pytest

import hubserve.testing
from hubserve import Client, ModelNotFound, ServerBusy, ServerUnavailable
from hubserve.testing import DROP, FakeServer, Fault, Request
from hubserve.testing.fixture import fake_server

__all__ = ["fake_server"]


def test_steps_are_taken_one_by_one_and_then_it_answers_as_always(fake_server: FakeServer):
    fake_server.then(Fault("RESOURCE_EXHAUSTED", "full"), DROP, None)
    with Client(fake_server.target, model="m", retry=None, max_batch_size=1, concurrency=1) as client:
        results = list(client.classify([b"a", b"b", b"c", b"d"]))

    assert [type(result.exception) for result in results[:2]] == [ServerBusy, ServerUnavailable]
    assert results[0].exception.details == "full"
    assert [result.label for result in results[2:]] == ["c", "d"]


def test_requests_are_kept_as_they_came(fake_server: FakeServer):
    with Client(fake_server.target, model="m", version_label="stable") as client:
        list(client.classify([b"a", b"b"]))

    (request,) = fake_server.requests
    assert (request.model, request.version, request.version_label, request.signature, request.images) == (
        "m",
        None,
        "stable",
        "serving_default",
        (b"a", b"b"),
    )


def test_answers_may_be_labels_statuses_vectors_or_any_arrays():
    with FakeServer(lambda image: {"cat": 0.75, "dog": 0.25}) as server, Client(server.target, model="m") as client:
        (result,) = client.classify([b"x"])
        assert [(c.class_id, c.label, c.score) for c in result.classes] == [(0, "cat", 0.75), (1, "dog", 0.25)]
    with FakeServer(lambda image: 2) as server, Client(server.target, model="m") as client:
        assert [result.status for result in client.classify([b"x"])] == [2]
    with FakeServer(features=lambda image: [1.0, 2.0]) as server, Client(server.target, model="m") as client:
        assert [result.vector.tolist() for result in client.features([b"x"])] == [[1.0, 2.0]]
        assert "feature_vector" in client.metadata().signatures["serving_default"].outputs

    def double(signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {signature: inputs["x"] * 2, "other": inputs["x"]}

    with FakeServer(predict=double) as server, Client(server.target, model="m") as client:
        outputs = client.predict({"x": [1, 2]}, signature="twice", outputs=["twice"])
        assert {name: array.tolist() for name, array in outputs.items()} == {"twice": [2, 4]}


def test_a_model_by_name_is_refused_under_another_in_tf_servings_words():
    with FakeServer(model="pnasnet") as server, Client(server.target, model="other") as client:
        (result,) = client.classify([b"x"])
        with pytest.raises(ModelNotFound, match="Could not find any versions of model other"):
            client.status()

    assert isinstance(result.exception, ModelNotFound)
    assert "Servable not found for request: Latest(other)" in result.error


def test_it_is_away_between_stop_and_start_and_comes_back_at_the_same_address():
    server = FakeServer()
    with server:
        target = server.target
        with Client(target, model="m", retry=None) as client:
            assert [result.label for result in client.classify([b"x"])] == ["x"]
            server.stop()
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2])))
            server.start()
            assert server.target == target
            client.wait_until_ready(20)
            assert [result.label for result in client.classify([b"x"])] == ["x"]


def test_what_is_called_before_an_answer_may_refuse():
    def only_small(request: Request) -> None:
        if len(request.images) > 1:
            raise Fault("FAILED_PRECONDITION", "one at a time")

    with FakeServer(before=only_small) as server, Client(server.target, model="m") as client:
        assert [result.ok for result in client.classify([b"a", b"b"])] == [False, False]
        assert [result.ok for result in client.classify([b"a"])] == [True]


def test_the_public_names_are_the_exported_ones():
    public = {name for name in vars(hubserve.testing) if not name.startswith("_")}

    assert set(hubserve.testing.__all__) == public - {"fixture"}


def test_more_clients_than_threads_may_watch_its_health():
    # A client of several servers watches each of them, with a call that stays open.
    with FakeServer(version=1, threads=2) as one, FakeServer(version=2, threads=2) as other, ExitStack() as stack:
        clients = []
        for _ in range(10):
            client = Client(
                [one.target, other.target],
                model="m",
                max_batch_size=1,
                timeout=20,
                # Connections of its own, as a client of another process has them.
                channel_options={"grpc.use_local_subchannel_pool": 1},
            )
            clients.append(stack.enter_context(client))
        for client in clients:
            until_from({1, 2}, client)
        one.ready = False
        for client in clients:
            until_from({2}, client)
        one.ready = True
        for client in clients:
            until_from({1, 2}, client)


def until_from(versions: set[int], client: Client) -> None:
    """Ask until all of these servers answer, and no other; a client that waits for a thread reports its timeout."""
    seen: set[int | None] = set()
    while seen != versions:
        results = list(client.classify([b"a"] * 8))
        assert [result.exception for result in results] == [None] * 8
        seen = {result.model_version for result in results}
