"""The report for a terminal: one row for each point, then a breakdown of the time, remarks, and the circumstances."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hubserve_cli.common.numbers import number

from .arrivals import Closed, Point
from .measurements import PERCENTILES

# Both tables end before column 80, with a blank between columns.
_COLUMNS = (5, 9, 7, 7, 6, 6, 6, 6, 6, 6, 6)
_BREAKDOWN = (5, 9, 7, 6, 8, 7, 10, 8)
_TEXT_WIDTH = 80
_INDENT = " " * 9


def header(report: Mapping[str, Any]) -> Iterator[str]:
    """Return the heading above the rows."""
    offered = "in flight" if report["load"]["mode"] == "closed" else "offered/s"
    names = ["batch", offered, "answers", report["rows"], *(f"p{percent:g}" for percent in PERCENTILES)]
    yield _line([*names, "max", "failed", "client"])
    yield _line(["", "", "/s", "/s", *["ms"] * (len(PERCENTILES) + 1), "", "cores"])


def row(point: Mapping[str, Any]) -> str:
    """Return one point's figures. A percentile that needs more requests than there were is `-`."""
    offered = point["concurrency"] if point["rate"] is None else f"{point['rate']:g}"
    latencies = [
        _latency(point, f"p{percent:g}") if point["due"] * round(1000 - 10 * percent) >= 1000 else "-"
        for percent in PERCENTILES
    ]
    failed = sum(failures["count"] for failures in point["failed"].values()) + point["unfinished"]
    return _line(
        [
            str(point["batch_size"]),
            str(offered),
            number(point["requests_per_s"]),
            number(point["rows_per_s"]),
            *latencies,
            _latency(point, "max"),
            f"{failed / point['due']:.1%}" if failed else "0",
            number(point["client_cpu"]["cores"]),
        ]
    )


def _latency(point: Mapping[str, Any], name: str) -> str:
    return number(point["latency_ms"][name], "failed" if point["due"] else "-")


def conclusions(report: Mapping[str, Any]) -> Iterator[str]:
    """Return the lines below the rows."""
    yield from _breakdown(report)
    found: dict[str, list[str]] = {}
    for point in report["points"]:
        for finding in point["findings"]:
            found.setdefault(finding, []).append(name(point))
    sentences = [
        f"{'every point' if len(points) == len(report['points']) else '; '.join(points)}: {finding}"
        for finding, points in found.items()
    ]
    if report["remarks"] or sentences:
        yield from [
            "",
            "Please note:",
            *_wrapped((f"- {sentence}" for sentence in [*report["remarks"], *sentences]), "  "),
        ]


def _breakdown(report: Mapping[str, Any]) -> Iterator[str]:
    trip = report["server"]["round_trip_ms"]
    closed = report["load"]["mode"] == "closed"
    yield "Where the time of a mean answered request went, in ms:"
    names = ["batch", "in flight" if closed else "offered/s", "latency", "late", "handover", "waiting", "client CPU"]
    names += [] if closed else ["late p99"]
    yield _line(names, _BREAKDOWN)
    for point in report["points"]:
        means = point["mean_ms"]
        offered = point["concurrency"] if closed else f"{point['rate']:g}"
        figures = [means["total"], means["late"], means["handing_over"], means["waiting"]]
        figures += [point["client_cpu"]["ms_per_request"], *([] if closed else [point["late_ms"]["p99"]])]
        yield _line([str(point["batch_size"]), str(offered), *map(number, figures)], _BREAKDOWN)
    yield from _wrapped(
        [
            "  late: from when it was due until it was sent. handover: until gRPC had it. waiting: until its answer "
            f"came, which is network and server; an empty call ({trip['rpc']}) takes {number(trip['median'])} ms "
            "when nothing else is in flight. client CPU: of this process, for each request; it overlaps with "
            "the waiting."
        ],
        "  ",
    )


def name(section: Mapping[str, Any]) -> str:
    """Return a point of the report in words, such as `batch 8, 4 in flight`."""
    return _in_words(section["batch_size"], section["concurrency"], section["rate"])


def point_name(point: Point) -> str:
    """Return the same for a point that is not yet measured."""
    load = point.load
    if isinstance(load, Closed):
        return _in_words(point.batch_size, load.concurrency, None)
    return _in_words(point.batch_size, None, load.rate)


def _in_words(batch_size: int, concurrency: int | None, rate: float | None) -> str:
    return f"batch {batch_size}, " + (f"{concurrency} in flight" if rate is None else f"{rate:g} requests/s")


def subject(report: Mapping[str, Any], points: str) -> Iterator[str]:
    """Return the lines about what is measured and how, before the measurement."""
    yield from _wrapped(_subject(report, points), _INDENT)
    # One line, for a copy.
    yield f"command  {report['command']}"


def _subject(report: Mapping[str, Any], points: str) -> Iterator[str]:
    server, machine, images = report["server"], report["machine"], report["images"]
    packages = ", ".join(f"{package} {version}" for package, version in machine["packages"].items())
    yield f"server   {server['target']}, model {server['model']}, version {server['version']}, {server['signature']}"
    for planned in report["inputs"]:
        sizes = ", ".join("batch" if size is None else str(size) for size in planned["shape"])
        yield f"input    {planned['name']}: {planned['dtype']} [{sizes}], {planned['values']}"
    if images is not None:
        yield f"images   {images['count']}: {images['from']}, {images['mean_bytes'] / 1000:.1f} kB on average"
    yield f"client   {machine['processor']}, {machine['cores']:g} cores, {machine['system']}"
    yield f"versions Python {machine['python']}, {packages}"
    yield f"load     {how(report['load'])}"
    yield f"points   {points}"
    yield f"started  {report['started']}"


def how(load: Mapping[str, Any]) -> str:
    """Describe the load in words."""
    loop = "closed loop" if load["mode"] == "closed" else f"open loop, {load['arrivals']} arrivals"
    if "search" in load:
        return f"{loop}, search for {load['search']} in {load['duration_s']:g} s, seed {load['seed']}"
    lasts = [f"{load['duration_s']:g} s"] if load["duration_s"] is not None else []
    lasts += [f"{load['requests']} requests"] if load["requests"] is not None else []
    most = " at the most" if len(lasts) == 2 else ""
    return (
        f"{loop}, {load['warmup_s']:g} s of warm-up, then {' and '.join(lasts)}{most} measured, timeout "
        f"{load['timeout_s']:g} s, seed {load['seed']}"
    )


def _line(cells: list[str], columns: tuple[int, ...] = _COLUMNS) -> str:
    return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, columns, strict=False)).rstrip()


def _wrapped(lines: Iterable[str], indent: str) -> Iterator[str]:
    for line in lines:
        yield from textwrap.wrap(line, _TEXT_WIDTH, subsequent_indent=indent, break_on_hyphens=False)
