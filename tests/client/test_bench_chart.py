"""The chart of `hubserve bench`: round figures at the axes, every figure drawn, and a text for screen readers."""

import itertools
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubserve_bench.chart import draw
from hubserve_cli.common.svg import Scale, linear_ticks, log_ticks, spread_out

SVG = "{http://www.w3.org/2000/svg}"
figures = st.floats(1e-3, 1e6)


def point(
    load: float, *, rate: bool, batch_size: int = 1, failed: int = 0, **latencies: float | None
) -> dict[str, Any]:
    return {
        "batch_size": batch_size,
        "concurrency": None if rate else int(load),
        "rate": load if rate else None,
        "due": 100,
        "failed": {"UNAVAILABLE": {"count": failed, "words": ""}} if failed else {},
        "unfinished": 0,
        "rows_per_s": 40.0,
        "latency_ms": {"p50": 3.0, "p90": 20.0, "p99": 400.0, "p99.9": 900.0, **latencies},
    }


def report(*points: dict[str, Any]) -> dict[str, Any]:
    load = {"mode": "open", "arrivals": "poisson", "warmup_s": 2, "duration_s": 10, "requests": None, "timeout_s": 30}
    return {
        "started": "2026-01-01",
        "command": "hubserve bench --server <here> --model m",
        "server": {"target": "h:1", "model": "m & n", "version": 2, "signature": "serving_default"},
        "machine": {"processor": "P", "cores": 2, "packages": {"grpcio": "1"}},
        "load": {**load, "seed": 0},
        "rows": "images",
        "points": list(points),
    }


def drawn(*points: dict[str, Any]) -> ET.Element:
    return ET.fromstring(draw(report(*points)))  # noqa: S314 - our own


def words(drawing: ET.Element) -> list[str]:
    return [text.text or "" for text in drawing.iter(f"{SVG}text")]


def test_each_batch_size_has_its_latencies_and_its_throughput() -> None:
    points = [point(load, rate=True, batch_size=size) for size in (1, 8) for load in (10, 20, 40)]
    drawing = drawn(*points)
    # Four percentiles and the throughput at three loads, twice.
    assert len(list(drawing.iter(f"{SVG}circle"))) == 5 * 3 * 2
    assert {"Batch 1: latency, ms", "Batch 8: images/s answered", "requests/s offered", "p99.9"} <= set(words(drawing))
    assert drawing.get("role") == "img"
    assert "m & n, version 2" in drawing.findtext(f"{SVG}title")
    assert "Batch 8, 40 requests/s offered: 40.0 images/s, latency in ms p50 3.00" in drawing.findtext(f"{SVG}desc")
    assert not [element for element in drawing.iter() if "href" in element.attrib]


def test_everything_is_inside_the_drawing() -> None:
    drawing = drawn(*(point(load, rate=False) for load in (1, 2, 4, 8, 16)))
    width, height = float(drawing.get("width")), float(drawing.get("height"))
    for circle in drawing.iter(f"{SVG}circle"):
        assert 0 < float(circle.get("cx")) < width
        assert 0 < float(circle.get("cy")) < height


def test_percentiles_that_failed_are_not_drawn_but_said() -> None:
    drawing = drawn(point(10, rate=True), point(20, rate=True, failed=5, p99=None, **{"p99.9": None}))
    assert len(list(drawing.iter(f"{SVG}circle"))) == 5 + 3
    assert {"p99 failed", "5.0% failed"} <= set(words(drawing))


def test_a_single_point_and_one_without_any_answer_can_be_drawn() -> None:
    lost = dict.fromkeys(["p50", "p90", "p99", "p99.9"])
    assert len(list(drawn(point(4, rate=False, failed=100, **lost)).iter(f"{SVG}circle"))) == 1


@given(figures)
def test_linear_ticks_are_few_round_and_reach_the_highest(high: float) -> None:
    ticks = linear_ticks(high)
    assert ticks[0] == 0
    assert ticks[-1] >= high * (1 - 1e-6)
    assert 2 <= len(ticks) <= 7


@given(figures, figures)
def test_logarithmic_ticks_enclose_all_figures(one: float, other: float) -> None:
    low, high = sorted([one, other])
    ticks = log_ticks(low, high)
    assert ticks == sorted(set(ticks))
    assert ticks[0] <= low * (1 + 1e-6)
    assert ticks[-1] >= high * (1 - 1e-6)
    assert 2 <= len(ticks) <= 13


@given(st.lists(st.floats(0, 250), min_size=1, max_size=5))
def test_labels_do_not_lie_on_each_other(places: list[float]) -> None:
    moved = sorted(spread_out(places, 15, 0, 250))
    assert all(later - earlier >= 15 - 1e-6 for earlier, later in itertools.pairwise(moved))
    assert moved[0] >= -1e-6
    assert moved[-1] <= 250 + 1e-6


@pytest.mark.parametrize(("log", "middle"), [(False, 50.5), (True, 10)])
def test_a_scale_puts_the_middle_into_the_middle(log: bool, middle: float) -> None:
    scale = Scale(1, 100, 300, 100, log)
    assert (scale(1), scale(middle), scale(100)) == pytest.approx((300, 200, 100))
