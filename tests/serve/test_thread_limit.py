"""The embedded engine takes a number of calls at a time, and refuses more in TensorFlow Serving's words."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hubserve import Client, Retry, ServerBusy
from hubserve_serve import EmbeddedServer
from serve.calls import PATIENCE, calling, request, wait_for
from serve.toys import model_dir

BATCHING = "max_batch_size { value: 4 } batch_timeout_micros { value: 200000 } max_enqueued_batches { value: 1000 }"


def test_a_call_too_many_is_refused_and_health_checks_are_not(toy: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    with (
        EmbeddedServer(model_dir(toy, tmp_path / "toy"), max_threads=1) as server,
        calling(server.target) as caller,
        grpc.insecure_channel(server.target) as channel,
    ):
        waiting = caller.prediction.Predict.future(request("gated", folder=[str(gate).encode()]), PATIENCE)
        wait_for(gate / "started")
        with pytest.raises(grpc.RpcError) as refused:
            caller.predict(image_bytes=[b"x"])
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        (gate / "go").touch()
        waiting.result()

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.value.details() == "Server Threadpool Exhausted"
    assert health.status == health_pb2.HealthCheckResponse.SERVING


def test_callers_of_one_client_share_few_threads_and_all_are_answered(toy: Path, tmp_path: Path) -> None:
    base = model_dir(toy, tmp_path / "toy", 1, batching=BATCHING)
    with (
        EmbeddedServer(base, max_threads=8) as server,
        Client(server.target, model="toy") as client,
        ThreadPoolExecutor(60) as pool,
    ):
        together = threading.Barrier(60)

        def ask(_: int) -> bool:
            together.wait()
            (result,) = client.classify([b"x"])
            return result.ok

        assert all(pool.map(ask, range(60)))

    with (
        EmbeddedServer(base, max_threads=8) as server,
        Client(server.target, model="toy", retry=None) as client,
        ThreadPoolExecutor(60) as pool,
    ):
        # The test above shows nothing if no request is refused.
        results = list(pool.map(lambda _: next(iter(client.classify([b"x"]))), range(60)))
        assert {type(result.exception) for result in results} == {ServerBusy, type(None)}


def test_one_call_at_a_time_is_enough_for_patience(toy: Path, tmp_path: Path) -> None:
    with (
        EmbeddedServer(model_dir(toy, tmp_path / "toy"), max_threads=1) as server,
        Client(server.target, model="toy", retry=Retry(first_delay=0.01)) as client,
        ThreadPoolExecutor(20) as pool,
    ):
        assert all(pool.map(lambda _: next(iter(client.classify([b"x"]))).ok, range(40)))
