"""The report of `hubserve bench`: its conclusions from the figures, and its text."""

from typing import Any

import pytest

from hubserve_bench.arrivals import Closed, Load, Open, Point
from hubserve_bench.drive import Measured
from hubserve_bench.machine import ProcessorTimes, busy_share
from hubserve_bench.measurements import point_section
from hubserve_bench.table import row
from hubserve_bench.trial import Failures, Tally
from hubserve_cli.common.numbers import number

MS = 1_000_000
SECOND = 1_000_000_000


def section(
    load: Load = Closed(4),  # noqa: B008 - it is frozen
    *,
    latencies: tuple[int, ...] = (10,) * 1000,
    late: int = 0,
    cpu_seconds: float = 1.0,
    busy: float | None = 0.5,
    here: bool = False,
    cores: float = 2,
    **changed: Any,
) -> dict[str, Any]:
    tally = Tally(window=10 * SECOND, answered=len(latencies), landed=len(latencies), **changed)
    for latency in latencies:
        tally.latency.record(latency * MS)
        tally.late.record(late * MS)
        tally.sending += MS
        tally.waiting += (latency - late - 1) * MS
    return point_section(Measured(Point(8, load), tally, 1000.0, cpu_seconds, busy, False), cores, here=here)


def findings(**changed: Any) -> str:
    return "\n".join(section(**changed)["findings"])


def test_a_server_that_keeps_up_is_reported_without_a_remark() -> None:
    assert findings() == ""
    assert findings(load=Open(100.0, poisson=True, seed=0)) == ""


def test_rates_are_over_the_window_and_the_parts_of_the_mean_add_up() -> None:
    point = section(latencies=(10,) * 500 + (30,) * 500, late=2)
    assert (point["requests_per_s"], point["rows_per_s"]) == (100, 800)
    assert point["mean_ms"] == {"total": 20, "late": 2, "handing_over": 1, "waiting": 17}
    assert point["client_cpu"] == {"cores": 0.1, "ms_per_request": 1.0}


def test_a_client_without_processor_time_left_is_reported() -> None:
    assert "the client used nearly all the processor time that it can" in findings(cpu_seconds=9.0)
    # A container with half a core.
    assert "the client used nearly all" in findings(cpu_seconds=4.6, cores=0.5)
    assert findings(cpu_seconds=4.6) == ""


def test_requests_that_were_sent_late_are_reported() -> None:
    assert "the client sent requests late" in findings(late=5)


def test_a_busy_machine_is_reported_and_who_uses_it() -> None:
    assert "client and server share it" in findings(busy=0.99, here=True)
    assert "the client may be the limit" in findings(busy=0.99, here=False)
    assert findings(busy=None) == ""


def test_an_overload_and_delayed_requests_are_reported() -> None:
    told = findings(load=Open(200.0, poisson=True, seed=0), span=5 * SECOND, held_back=70, most_in_flight=1000)
    assert "more was offered than answered" in told
    assert "requests waited here until fewer than 1000 were in flight" in told
    # By chance fewer were due than the rate says: that is not an overload.
    assert findings(load=Open(110.0, poisson=True, seed=0), span=10 * SECOND) == ""


def test_failures_are_reported_with_the_servers_words_and_fill_the_percentiles() -> None:
    point = section(failed={"UNAVAILABLE": Failures(20, "queue is full")})
    assert point["findings"] == ["20 of 1020 requests failed with UNAVAILABLE: queue is full"]
    # 20 of 1020 are two in a hundred.
    assert (point["latency_ms"]["p90"], point["latency_ms"]["p99"]) == (pytest.approx(10, rel=0.005), None)
    assert row(point).split()[-4:] == ["failed", "failed", "2.0%", "0.10"]


@pytest.mark.parametrize(
    ("requests", "shown"), [(9, "---"), (10, "p--"), (99, "p--"), (100, "pp-"), (999, "pp-"), (1000, "ppp")]
)
def test_a_percentile_of_too_few_requests_is_not_shown(requests: int, shown: str) -> None:
    cells = row(section(latencies=(10,) * requests)).split()[4:8]
    assert cells[0] == "10.0"
    assert ["-" if cell == "-" else "p" for cell in cells[1:]] == list(shown)


def test_a_point_at_which_nothing_came_has_no_figures() -> None:
    point = section(latencies=(), cpu_seconds=0.0)
    assert row(point).split() == ["8", "4", "0.00", "0.00", "-", "-", "-", "-", "-", "0", "0.00"]


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.0, "0.00"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12346"), (None, "-")],
)
def test_figures_have_three_digits_and_keep_their_whole_part(value: float | None, written: str) -> None:
    assert number(value) == written


def test_the_machines_work_is_the_share_of_ticks_that_were_not_idle() -> None:
    assert busy_share(ProcessorTimes(100, 100), ProcessorTimes(175, 125)) == 0.75
    assert busy_share(None, ProcessorTimes(1, 1)) is None
    assert busy_share(ProcessorTimes(1, 1), ProcessorTimes(1, 1)) is None
