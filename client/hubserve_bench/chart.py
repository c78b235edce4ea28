"""Draw the report as SVG: for each batch size, latency and throughput against the load."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from hubserve_cli.common import svg
from hubserve_cli.common.numbers import number
from hubserve_cli.common.svg import Scale, linear_ticks, log_ticks, spread_out

from .measurements import PERCENTILES
from .table import how

_WIDTH = 1000
_PANEL_HEIGHT = 250
# The distance from the top of one row of panels to the next, and the top of the first row.
_ROW_HEIGHT = 350
_TOP = 130
# Left edges and widths of the two panels; the names of the lines are to the right of the first panel.
_PANELS = ((70, 370), (600, 360))
# If the largest load is at most this many times the smallest, the axis is linear; else it is logarithmic.
_LINEAR_RATIO = {"rate": 30, "concurrency": 8}
_LONGEST_CAPTION = 135

# Colours that are easy to tell apart on white and on black, also for colour-blind readers; lines also differ in their
# dashes.
_STYLE = """
text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #24292f; }
.title { font-size: 20px; font-weight: 600; } .head { font-size: 14px; font-weight: 600; }
.soft, .tick { fill: #59636e; } .tick { font-size: 12px; }
.paper { fill: #fff; } .grid { stroke: #d8dee4; } .axis { stroke: #818b98; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .dot { stroke-width: 1.5; }
.p0 { stroke: #0a66c2; } .p1 { stroke: #7a4fc0; stroke-dasharray: 8 3; } .p2 { stroke: #c4407a; stroke-dasharray: 4 3; }
.p3 { stroke: #c65d00; stroke-dasharray: 2 3; } .rate { stroke: #0a7a5c; }
.d0 { fill: #0a66c2; } .d1 { fill: #7a4fc0; } .d2 { fill: #c4407a; } .d3 { fill: #c65d00; } .drate { fill: #0a7a5c; }
.offered { stroke: #818b98; stroke-dasharray: 5 4; fill: none; stroke-width: 1.5; } .bad { fill: #b3261e; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .soft, .tick { fill: #9aa4af; } .paper { fill: #0f1318; } .grid { stroke: #2a3139; }
  .p0 { stroke: #6aa9ff; } .p1 { stroke: #b295f5; } .p2 { stroke: #f283b2; } .p3 { stroke: #ff9e57; }
  .d0 { fill: #6aa9ff; } .d1 { fill: #b295f5; } .d2 { fill: #f283b2; } .d3 { fill: #ff9e57; }
  .rate { stroke: #45c9a2; } .drate { fill: #45c9a2; } .bad { fill: #ff8a80; }
}
"""


def draw(report: Mapping[str, Any]) -> str:
    """Draw the report; the drawing needs no other file and no network."""
    sizes = sorted({point["batch_size"] for point in report["points"]})
    height = _TOP + _ROW_HEIGHT * len(sizes) + 50
    server, machine = report["server"], report["machine"]
    title = f"{server['model']}, version {server['version']}, on {server['target']}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        'role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(" ".join(_described(report)))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        svg.text(24, 40, title, "title"),
        svg.text(24, 64, f"signature {server['signature']}; {how(report['load'])}", "soft"),
    ]
    for number_of_row, size in enumerate(sizes):
        points = [point for point in report["points"] if point["batch_size"] == size]
        points.sort(key=lambda point: point["rate"] or point["concurrency"])
        lines += _row(report, points, _TOP + _ROW_HEIGHT * number_of_row)
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    lines.append(
        svg.text(24, height - 40, f"client: {machine['processor']}, {machine['cores']:g} cores, {packages}", "tick")
    )
    lines.append(svg.text(24, height - 20, _shortened(f"{report['started']}  {report['command']}"), "tick"))
    return "\n".join([*lines, "</svg>", ""])


def _described(report: Mapping[str, Any]) -> Iterator[str]:
    """Return the figures in sentences, for readers who cannot see the drawing."""
    for point in report["points"]:
        load = f"{point['concurrency']} in flight" if point["rate"] is None else f"{point['rate']:g} requests/s offered"
        latencies = ", ".join(
            f"p{percent:g} {number(point['latency_ms'][f'p{percent:g}'], 'failed')}" for percent in PERCENTILES
        )
        yield (
            f"Batch {point['batch_size']}, {load}: {number(point['rows_per_s'])} {report['rows']}/s, "
            f"latency in ms {latencies}."
        )


def _row(report: Mapping[str, Any], points: Sequence[Mapping[str, Any]], top: float) -> Iterator[str]:
    rows, size = report["rows"], points[0]["batch_size"]
    kind = "concurrency" if points[0]["rate"] is None else "rate"
    loads = [float(point[kind]) for point in points]
    log = max(loads) / min(loads) >= _LINEAR_RATIO[kind]
    name = "requests in flight" if kind == "concurrency" else "requests/s offered"
    (left, width), (right, right_width) = _PANELS
    yield svg.text(left - 46, top - 22, f"Batch {size}: latency, ms", "head")
    yield from _latencies(points, loads, _across(loads, left, width, log=log), top, left, width)
    yield from _under(loads, _across(loads, left, width, log=log), top, name)
    yield svg.text(right - 46, top - 22, f"Batch {size}: {rows}/s answered", "head")
    yield from _throughput(points, loads, _across(loads, right, right_width, log=log), top, right, right_width)
    yield from _under(loads, _across(loads, right, right_width, log=log), top, name)


def _latencies(
    points: Sequence[Mapping[str, Any]], loads: Sequence[float], x: Scale, top: float, left: float, width: float
) -> Iterator[str]:
    names = [f"p{percent:g}" for percent in PERCENTILES]
    figures = [point["latency_ms"][name] for point in points for name in names]
    known = [figure for figure in figures if figure is not None and figure > 0] or [1.0]
    ticks = log_ticks(min(known), max(known))
    y = Scale(ticks[0], ticks[-1], top + _PANEL_HEIGHT, top, log=True)
    yield from _rows_of(ticks, y, left, width)
    ends = []
    for index, name in reversed(list(enumerate(names))):
        line = [(x(load), point["latency_ms"][name]) for load, point in zip(loads, points, strict=True)]
        yield svg.polyline([(place, y(figure)) for place, figure in line if figure], f"p{index}")
        for place, figure in line:
            if figure:
                yield svg.dot(place, y(figure), f"d{index}", f"{name}: {number(figure)} ms")
        if drawn := [figure for _, figure in line if figure]:
            ends.append((y(drawn[-1]), name, index))
    places = spread_out([end for end, _, _ in ends], 15, top, top + _PANEL_HEIGHT)
    for place, (_, name, index) in zip(places, ends, strict=True):
        yield svg.text(left + width + 8, place + 4, name, f"d{index}")
    for load, point in zip(loads, points, strict=True):
        lost = [name for name in names if point["latency_ms"][name] is None]
        if lost:
            yield svg.text(x(load), top - 4, f"{lost[0]} failed" if point["due"] else "none", "tick bad", "middle")


def _throughput(
    points: Sequence[Mapping[str, Any]], loads: Sequence[float], x: Scale, top: float, left: float, width: float
) -> Iterator[str]:
    answered = [point["rows_per_s"] or 0.0 for point in points]
    offered = [point["rate"] * point["batch_size"] for point in points if point["rate"] is not None]
    ticks = linear_ticks(max([*answered, *offered]))
    y = Scale(ticks[0], ticks[-1], top + _PANEL_HEIGHT, top, log=False)
    yield from _rows_of(ticks, y, left, width)
    if offered:
        places = [(x(load), y(figure)) for load, figure in zip(loads, offered, strict=True)]
        yield svg.polyline(places, "offered")
        yield svg.text(places[-1][0] - 8, places[-1][1] - 6, "offered", "tick", "end")
    yield svg.polyline([(x(load), y(figure)) for load, figure in zip(loads, answered, strict=True)], "rate")
    for load, figure, point in zip(loads, answered, points, strict=True):
        yield svg.dot(x(load), y(figure), "drate", f"{number(figure)} a second")
        failed = sum(failures["count"] for failures in point["failed"].values()) + point["unfinished"]
        if failed:
            yield svg.text(x(load), y(figure) - 10, f"{failed / point['due']:.1%} failed", "tick bad", "middle")


def _across(loads: Sequence[float], left: float, width: float, *, log: bool) -> Scale:
    """Return the axis of the loads."""
    low, high = min(loads), max(loads)
    if low == high:
        return Scale(low / 2, high * 1.5, left, left + width, log=False)
    return Scale(low if log else 0.0, high, left + 24, left + width - 12, log)


def _under(loads: Sequence[float], x: Scale, top: float, name: str) -> Iterator[str]:
    """Write the measured loads below the axis, where there is room."""
    free = 0.0
    for load in sorted(set(loads)):
        place, text = x(load), f"{load:g}"
        half = 4 + 3.5 * len(text)
        if place - half >= free:
            yield svg.text(place, top + _PANEL_HEIGHT + 20, text, "tick", "middle")
            free = place + half
    yield svg.text((x.start + x.end) / 2, top + _PANEL_HEIGHT + 42, name, "soft", "middle")


def _rows_of(ticks: Sequence[float], y: Scale, left: float, width: float) -> Iterator[str]:
    for tick in ticks:
        label = f"{tick:g}" if tick < 1e5 else f"{tick:,.0f}"
        yield svg.across(y(tick), left, left + width, "axis" if tick == ticks[0] else "grid", label)


def _shortened(text: str) -> str:
    return textwrap.shorten(text, _LONGEST_CAPTION, placeholder=" ...")
