"""Behind a gateway that blocks some RPCs, the error names the blocked one."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from client.shells import SHELLS, call, classify
from hubserve import NotAModelServer
from hubserve.testing import FakeServer
from hubserve_cli.main import main
from support.bytes_server import Forwarding


@pytest.fixture
def gateway() -> Iterator[Forwarding]:
    with (
        FakeServer(model="m", input_size=224) as server,
        Forwarding(server.target, "Predict", "GetModelStatus") as gate,
    ):
        yield gate


@pytest.mark.parametrize("shell", SHELLS)
def test_what_goes_through_works_and_the_error_of_what_does_not_names_the_rpc(gateway: Forwarding, shell: str) -> None:
    assert [result.label for result in classify(shell, gateway.target, [b"cat"], shrink=True)] == ["cat"]
    assert call(shell, gateway.target, "status")[0].available
    with pytest.raises(NotAModelServer, match=r"does not know GetModelMetadata: .* let GetModelMetadata through"):
        call(shell, gateway.target, "metadata")


def test_bench_names_the_rpc_that_it_needs(gateway: Forwarding) -> None:
    result = CliRunner().invoke(main, ["bench", "--server", gateway.target, "--model", "m", "--requests", "1"])
    assert result.exit_code == 1
    assert "make the gateway before the server let GetModelMetadata through" in result.stderr


def test_bench_runs_through_the_gateway_of_the_manifests() -> None:
    through = ("Predict", "GetModelMetadata", "GetModelStatus")
    with FakeServer(model="m", input_size=224) as server, Forwarding(server.target, *through) as gate:
        options = ["--requests", "3", "--warmup", "0", "--concurrency", "1"]
        result = CliRunner().invoke(main, ["bench", "--server", gate.target, "--model", "m", *options])
    assert result.exit_code == 0, result.stderr
