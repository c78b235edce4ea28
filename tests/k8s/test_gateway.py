"""Callers from outside: everything that the client does passes through the methods of the GRPCRoute, and no others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from click.testing import CliRunner

from hubserve.testing import FakeServer
from hubserve_cli.main import main
from k8s.manifests import Manifest, with_components

_PATIENCE_SECONDS = 30


def routed(route: Manifest) -> set[str]:
    """The paths of the methods that a route lets through."""
    methods = [match["method"] for rule in route["spec"]["rules"] for match in rule["matches"]]
    return {f"/{method['service']}/{method['method']}" for method in methods}


class _Proxy(grpc.GenericRpcHandler):
    """Passes on calls of some methods, as they are, and notes all that were asked for."""

    def __init__(self, channel: grpc.Channel, paths: set[str]) -> None:
        self._channel, self._paths, self.asked = channel, paths, set[str]()

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        self.asked.add(call.method)
        if call.method not in self._paths:
            return None
        forward = self._channel.unary_unary(call.method)

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                return forward(request, timeout=_PATIENCE_SECONDS)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())

        return grpc.unary_unary_rpc_method_handler(answer)


@contextmanager
def gateway(target: str, paths: set[str]) -> Iterator[tuple[str, set[str]]]:
    """A proxy that lets these methods through; gives its address, and the methods that callers ask for."""
    with grpc.insecure_channel(target) as channel:
        proxy = _Proxy(channel, paths)
        server = grpc.server(ThreadPoolExecutor(8), handlers=[proxy])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}", proxy.asked
        finally:
            server.stop(None).wait(_PATIENCE_SECONDS)


def route() -> set[str]:
    return routed(with_components("gateway").one("GRPCRoute"))


@pytest.fixture
def photograph(tmp_path):
    (tmp_path / "cat.jpg").write_bytes(b"a cat")
    return str(tmp_path / "cat.jpg")


_BENCH = ["bench", "--concurrency", "1", "--requests", "3", "--duration", "5", "--warmup", "0"]


@pytest.mark.parametrize("command", ["status", "classify", "bench"])
def test_a_command_passes_the_gateway(photograph, command):
    words = {
        "status": ["status", "--wait", "5"],
        "classify": ["classify", photograph],
        "bench": _BENCH,
    }[command]
    with FakeServer(lambda _: {"cat": 0.9}, model="pnasnet") as server, gateway(server.target, route()) as (at, asked):
        done = CliRunner().invoke(main, [*words, "--server", at, "--model", "pnasnet"])
    assert done.exit_code == 0, done.output
    assert asked
    assert asked <= route()


def test_bench_would_not_pass_a_gateway_without_the_metadata(photograph):
    few = {path for path in route() if not path.endswith("GetModelMetadata")}
    with FakeServer(lambda _: {"cat": 0.9}, model="pnasnet") as server, gateway(server.target, few) as (at, _):
        assert CliRunner().invoke(main, [*_BENCH, "--server", at, "--model", "pnasnet"]).exit_code == 1


def test_loading_a_model_from_a_path_does_not_pass():
    path = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
    with (
        FakeServer(model="pnasnet") as server,
        gateway(server.target, route()) as (at, _),
        grpc.insecure_channel(at) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        channel.unary_unary(path)(b"", timeout=_PATIENCE_SECONDS)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
