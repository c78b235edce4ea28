"""`hubserve bench --slo`: a promise is read, and the highest rate that keeps it is found, on servers of arithmetic."""

import math

import pytest
from click.testing import CliRunner, Result

from client import slo_servers
from hubserve.testing import FakeServer
from hubserve_bench.promise import Promise, replicas_for
from hubserve_bench.slo_search import SloSearch
from hubserve_cli.main import main

BY_NAME = {server.name: server for server in slo_servers.SERVERS}


@pytest.mark.parametrize(
    ("text", "percent", "seconds", "words"),
    [
        ("p99=200ms", 99, 0.2, "p99 within 200 ms"),
        ("p99.9=1.5s", 99.9, 1.5, "p99.9 within 1.5 s"),
        ("p50=500us", 50, 0.0005, "p50 within 0.5 ms"),
        (" p95=1min ", 95, 60, "p95 within 60 s"),
    ],
)
def test_a_promise_is_read(text: str, percent: float, seconds: float, words: str) -> None:
    promise = Promise.parse(text)
    assert (promise.percent, promise.seconds) == (percent, pytest.approx(seconds))
    assert str(promise) == words


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("p99=", "is not a promise"),
        ("p99=200", "its unit"),
        ("p99=-1", "is not a promise"),
        ("p99=-1ms", "is not a promise"),
        ("p99=200 parsecs", "is not a promise"),
        ("99=200ms", "is not a promise"),
        ("p99=nans", "is not a promise"),
        ("p99=1e3ms", "is not a promise"),
        ("", "is not a promise"),
        ("p200=1s", "must be from 50 to 99.9"),
        ("p100=1s", "must be from 50 to 99.9"),
        ("p1=1s", "must be from 50 to 99.9"),
        ("p99=0ms", "more than 0 and at most an hour"),
        ("p99=99999s", "more than 0 and at most an hour"),
    ],
)
def test_what_is_no_promise_is_refused_with_the_remedy(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Promise.parse(text)
    result = CliRunner().invoke(main, ["bench", "--server", "a:1", "--model", "m", "--slo", text])
    assert result.exit_code == 2
    assert says.split()[0] in result.stderr


@pytest.mark.parametrize(
    "name",
    [
        "one, exponential 2 ms, p50=4ms",
        "one, fixed 10 ms, equal intervals",
        "sixteen, fixed 40 ms, p99 100 ms",
        "four, refusing beyond 12, p99 500 ms",
    ],
)
def test_the_rate_is_found_within_5_percent_in_60_seconds(name: str) -> None:
    server = BY_NAME[name]
    found = slo_servers.search(server)
    rate = found.rate()
    assert rate is not None
    assert abs(rate / slo_servers.truth(server, rate, 60_000) - 1) < 0.05
    # The last answers are waited for.
    assert found.spent < 61.5
    assert found.settled()


@pytest.mark.slow
def test_all_twenty_are_within_5_percent(capsys: pytest.CaptureFixture[str]) -> None:
    assert slo_servers.main() == 0
    assert "20 of 20 within 5%" in capsys.readouterr().out


def test_a_promise_that_cannot_be_kept_ends_the_search_early() -> None:
    server = slo_servers.Server("slow", slo_servers.queue(1, slo_servers.fixed(0.3)), Promise(99, 0.2))
    found = slo_servers.search(server)
    assert found.rate() is None
    assert found.hopeless
    assert found.spent < 45


def test_a_server_without_a_limit_is_said_to_have_none_that_was_found() -> None:
    search = SloSearch(Promise(99, 0.1), 60, 0.001)
    while (one := search.next()) is not None:
        search.add(one.rate, max(int(one.rate * one.duration), 1), 0, one.warmup + one.duration)
    assert not search.settled()
    assert search.rate() is not None


def test_a_single_bad_try_by_chance_does_not_lead_astray() -> None:
    search = SloSearch(Promise(99, 0.1), 60, 0.01)
    number = 0
    while (one := search.next()) is not None:
        requests = max(int(one.rate * one.duration), 1)
        number += 1
        late = requests // 10 if number == 3 or one.rate > 400 else 0
        search.add(one.rate, requests, late, one.warmup + one.duration)
    assert search.rate() == pytest.approx(400, rel=0.12)


def test_replicas_carry_a_rate_with_a_quarter_to_spare() -> None:
    assert replicas_for(100, 100, 0.75) == 2
    assert replicas_for(75, 100, 0.75) == 1
    assert replicas_for(301, 100, 0.75) == 5
    assert replicas_for(0.1, 100, 0.75) == 1


def bench(server: FakeServer, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", "--server", server.target, "--model", "m", *arguments])


def test_the_command_says_the_rate_replicas_and_threshold() -> None:
    def wait(_: object) -> None:
        server._stopping.wait(0.02)

    with FakeServer(threads=2) as server:
        server.before = wait
        result = bench(server, "--slo", "p95=400ms", "--duration", "5", "--peak", "1000")
    assert result.exit_code == 0, result.output
    assert "search for p95 within 400 ms in 5 s" in result.stdout
    assert "p95 within 400 ms is kept " in result.stdout
    assert "For the manifests: one replica carries " in result.stdout
    assert "threshold of autoscaling: " in result.stdout
    assert "replicas for 1000 requests/s: " in result.stdout


def test_the_command_says_that_a_promise_cannot_be_kept() -> None:
    def wait(_: object) -> None:
        server._stopping.wait(0.2)

    with FakeServer(before=wait) as server:
        result = bench(server, "--slo", "p99=100ms", "--duration", "12")
    assert result.exit_code == 1, result.output
    assert "p99 within 100 ms cannot be kept at any rate: requests are late even when they hardly meet" in result.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--rate", "5"], "give it without --rate"),
        (["--concurrency", "5"], "give it without --concurrency"),
        (["--requests", "5"], "give it without --requests"),
        (["--batch-size", "1,2"], "give one number"),
    ],
)
def test_options_that_say_the_load_are_refused(options: list[str], says: str) -> None:
    result = CliRunner().invoke(main, ["bench", "--server", "a:1", "--model", "m", "--slo", "p99=1s", *options])
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())
    alone = CliRunner().invoke(main, ["bench", "--server", "a:1", "--model", "m", "--peak", "5"])
    assert (alone.exit_code, "give it with --slo" in " ".join(alone.stderr.split())) == (2, True)


def test_the_formula_of_the_queue_is_what_the_simulation_shows() -> None:
    server = BY_NAME["one, exponential 2 ms, p50=4ms"]
    assert server.exact == pytest.approx(500 - math.log(2) / 0.004)
    assert slo_servers.late_share(server, server.exact, 60_000, 3) == pytest.approx(0.5, abs=0.03)
