"""Numbers that are not finite or far too large are refused at the entry: in the library, and in the command."""

import asyncio
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from client.shells import SHELLS, call, classify
from hubserve import AsyncClient, Client, Retry, UsageError
from hubserve.testing import FakeServer
from hubserve_cli.main import main

CLIENTS = {"threads": Client, "asyncio": AsyncClient}
NO_SECONDS = [math.inf, -math.inf, math.nan, -1.0, 9e9, 1e300, "30", True]
NO_COUNTS = [0, -1, 1.5, math.inf, math.nan, "32", None, True]
SECONDS = ["timeout"]
COUNTS = ["max_batch_size", "max_batch_bytes"]


def made(shell: str, **options: Any) -> Any:
    return CLIENTS[shell]("localhost:1", model="m", **options)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("value", [*NO_SECONDS, 0])
def test_a_client_refuses_a_timeout_that_is_none(shell: str, value: Any) -> None:
    with pytest.raises(UsageError, match="timeout must be"):
        made(shell, timeout=value)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", NO_COUNTS)
def test_a_client_refuses_counts_that_are_none(shell: str, name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name} must be"):
        made(shell, **{name: value})


@pytest.mark.parametrize("value", [1.5, "1", math.nan, -1, 2**63])
def test_a_client_refuses_a_version_that_is_none(value: Any) -> None:
    with pytest.raises(UsageError, match="version must be"):
        made("threads", version=value)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("value", [0, -1, 1.5, math.inf, math.nan, "2", True])
def test_a_client_refuses_a_concurrency_that_is_not_a_count(shell: str, value: Any) -> None:
    with pytest.raises(UsageError, match='concurrency, if not "auto", must be'):
        made(shell, concurrency=value)


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    with FakeServer() as server:
        options = {"version": np.int64(1), "concurrency": np.int32(2), "max_batch_size": np.uint8(3)}
        assert [result.label for result in classify("threads", server.target, [b"cat"], **options)] == ["cat"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**70])
def test_a_client_refuses_channel_options_that_grpc_cannot_hold(shell: str, value: int) -> None:
    with pytest.raises(UsageError, match="ints of 32 bits"):
        made(shell, channel_options={"grpc.max_receive_message_length": value})


@pytest.mark.parametrize("name", ["max_seconds", "first_delay", "max_delay", "hedge_after"])
@pytest.mark.parametrize("value", NO_SECONDS)
def test_a_retry_policy_refuses_times_that_are_none(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"Retry's {name} must be"):
        Retry(**{name: value})


@pytest.mark.parametrize("value", [math.inf, math.nan, -1, 0.5, "1"])
def test_a_retry_policy_refuses_a_budget_that_is_none(value: Any) -> None:
    with pytest.raises(UsageError, match="Retry's budget must be"):
        Retry(budget=value)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("value", NO_SECONDS)
def test_calls_refuse_times_that_are_none(shell: str, value: Any) -> None:
    with pytest.raises(UsageError, match="timeout must be"):
        call(shell, "localhost:1", "predict", {"x": [1]}, timeout=value)
    with pytest.raises(UsageError, match="timeout must be"):
        call(shell, "localhost:1", "wait_until_ready", value)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("verb", ["classify_batcher", "features_batcher"])
def test_batchers_refuse_numbers_that_are_none(shell: str, verb: str) -> None:
    async def refused() -> None:
        client = made(shell)
        for value in NO_SECONDS:
            with pytest.raises(UsageError, match="max_delay must be"):
                getattr(client, verb)(max_delay=value)
        for value in (0, -1, 1.5, math.nan, "2"):
            with pytest.raises(UsageError, match="max_size must be"):
                getattr(client, verb)(max_size=value)
        closing = client.close()
        if closing is not None:
            await closing

    asyncio.run(refused())


@pytest.mark.parametrize("value", [0, 1.5, math.nan, math.inf, "3"])
def test_top_k_is_a_whole_number(value: Any) -> None:
    with made("threads") as client, pytest.raises(UsageError, match="top_k must be"):
        client.classify([b"cat"], top_k=value)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("timeout", [None, 1e9, 30])
def test_no_timeout_and_the_longest_one_reach_the_server(shell: str, timeout: float | None) -> None:
    with FakeServer() as server:
        assert [result.label for result in classify(shell, server.target, [b"cat"], timeout=timeout)] == ["cat"]
        options = {"timeout": timeout}
        assert call(shell, server.target, "metadata", options=options).name == "m"
        assert call(shell, server.target, "status", options=options)[0].available
        assert call(shell, server.target, "wait_until_ready", 10, options=options)[0].available
    with FakeServer(predict=lambda _, inputs: inputs) as server:
        assert call(shell, server.target, "predict", {"x": [7]}, options=options)["x"].tolist() == [7]


FLOATS = {
    "classify": ["--timeout"],
    "status": ["--wait"],
    "bench": ["--timeout", "--duration", "--warmup", "--rate"],
}


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "NaN", "1e400"])
@pytest.mark.parametrize(("command", "option"), [(name, each) for name, options in FLOATS.items() for each in options])
def test_the_command_calls_such_a_number_wrong_usage_and_asks_no_server(
    command: str, option: str, value: str, tmp_path: Path
) -> None:
    source = [os.fspath(tmp_path)] if command == "classify" else []
    with FakeServer() as server:
        result = CliRunner().invoke(
            main, [command, *source, "--server", server.target, "--model", "m", f"{option}={value}"]
        )
        assert (result.exit_code, server.requests) == (2, [])
    assert f"Invalid value for '{option}'" in result.stderr


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("bench", "--rate", "1e300"),
        ("bench", "--rate", "10,1e-300"),
        ("bench", "--rate", "inf"),
        ("bench", "--concurrency", "nan"),
        ("bench", "--batch-size", "9" * 30),
        ("bench", "--seed", "-1"),
        ("classify", "--concurrency", "9" * 5000),
        ("classify", "--shard", f"1/{'9' * 5000}"),
        ("classify", "--version", "9" * 30),
    ],
)
def test_the_command_refuses_numbers_that_nothing_can_hold(
    command: str, option: str, value: str, tmp_path: Path
) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"cat")
    source = [os.fspath(tmp_path)] if command == "classify" else []
    with FakeServer() as server:
        target = ["--server", server.target, "--model", "m"]
        result = CliRunner().invoke(main, [command, *source, *target, f"{option}={value}"])
        assert (result.exit_code, server.requests) == (2, []), result.stderr
    assert option in result.stderr or "version must be at most" in result.stderr


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_json_does_not_have_is_null_in_json_lines(tmp_path: Path, score: float) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"cat")

    def no_json(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    with FakeServer(lambda _: {"cat": score}) as server:
        options = ["--server", server.target, "--model", "m", "--format", "jsonl", "--quiet"]
        result = CliRunner().invoke(main, ["classify", os.fspath(tmp_path), *options])
        output = tmp_path / "out.parquet"
        written = CliRunner().invoke(main, ["classify", os.fspath(tmp_path), *options[:4], "--output", str(output)])
    (found,) = json.loads(result.stdout, parse_constant=no_json)["classes"]
    assert (found["label"], found["score"]) == ("cat", None)
    assert written.exit_code == 0, written.stderr
