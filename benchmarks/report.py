"""The figures of a run as Markdown, and as one HTML page without other files."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Iterable, Mapping, Sequence

from capacity import GPUS, Fleet, table
from hubserve_cli.common import svg
from row import Figures, Plot, Row

# The row that answers a question of users, and the question; parts in parentheses are put into it.
QUESTIONS = (
    (r"(.+), batch 8: through gRPC", "Images a second of {0} on this machine, in requests of 8"),
    (
        r"(.+), batch 8: images a second for each core that the server keeps busy",
        "{0}: images a second for each core that the server keeps busy",
    ),
    (
        r"(.+), batch 8: through gRPC against the in-process session",
        "{0} through the server, against the same model in a Python process (the limit is 1 x)",
    ),
    (r"(.+): start to the first answer, with warm-up", "A server with {0}, from its start to the first answer"),
    (
        r"(.+): start to the first answer, with warm-up against without",
        "{0}: that start, against one without warm-up (the limit is 1 x)",
    ),
    (r"(.+): the first (JPEG|PNG) after warm-up against later", "The first {1} to {0} after the start, against later"),
    (
        r"(.+), batch (\d+): processor time of variables against constants",
        "{0} in batches of {1}, exported without `--freeze`, against with it",
    ),
    (r"export of ([^,]+)", "Export of {0}, with its proof"),
    (r"export of ([^,]+), peak memory", "Memory that the export of {0} needs"),
    (
        r"(\d+ x \d+) JPEG of \d+ kB to (\d+) x \d+, processor time: the graph against Pillow with draft",
        "A JPEG of {0}, decoded and resized to {1}, against Pillow with draft",
    ),
    (
        r"(\d+ x \d+) JPEG of \d+ kB to (\d+) x \d+, processor time: the part of the CPU with --resize-on accelerator "
        "against all on the CPU",
        "A JPEG of {0} to {1} on the CPU, if the accelerator resizes, against all on the CPU",
    ),
    (
        r"a batch of 32 resized on a GPU against the CPU's part, (.+), seconds",
        "The resize on a GPU, {0}, against the CPU's part",
    ),
    (
        "client CPU of a request of 32 JPEGs, 3.4 MB, against resending constant bytes",
        "Client: processor time of a request of 32 JPEGs, against resending constant bytes (the limit is 1 x)",
    ),
    (
        "client CPU of a request of 32 JPEGs, 3.4 MB, tensorflow-serving-api with make_tensor_proto against hubserve",
        "Client: processor time of tensorflow-serving-api, as users run it, against hubserve",
    ),
    (
        r"client CPU of a request of 32 JPEGs, 3.4 MB: tritonclient.grpc against hubserve",
        "Client: processor time of tritonclient, against hubserve",
    ),
    (
        r"client\.classify over \d+ images, two requests in flight, against a hand-written loop",
        "Client: images a second of `client.classify`, against a loop written by hand",
    ),
    (r"peak memory, 1,000,000 images against 10,000", "Client: memory for 1,000,000 images, against 10,000"),
    (r"relay: its processor time for a megabyte", "Relay before TensorFlow Serving: processor time for a megabyte"),
)
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 460, 260, 64, 40, 12
_COLOURS = ("#1769aa", "#c2571a", "#2e7d32", "#7b3fa0", "#8a6d00")
_LINES = " ".join(
    f".p{number} {{ stroke: {colour}; }} .d{number}, svg .d{number} {{ fill: {colour}; }}"
    for number, colour in enumerate(_COLOURS)
)
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
.met { color: #2e7d32; } .missed { color: #c62828; font-weight: 600; }
small { display: block; opacity: .8; }
figure { display: inline-block; margin: 0 1rem 1rem 0; max-width: 100%; }
svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
.grid { stroke: currentColor; opacity: .2; } .line { fill: none; stroke-width: 2; }
pre { overflow-x: auto; }
@media (prefers-color-scheme: dark) { .met { color: #81c784; } .missed { color: #ef9a9a; } }
"""


def markdown(run: Mapping[str, object], budgets: bool) -> str:
    """Return the table of the rows that have a budget, or of those that have none."""
    columns = ["what", "median (middle half)", *(["budget", ""] if budgets else [])]
    lines = [columns, ["---"] * len(columns)]
    for row in _rows(run):
        verdict = f"**{row.verdict}**" if row.verdict == "missed" else row.verdict
        said = [row.budget, ": ".join(filter(None, [verdict, row.remark]))]
        if budgets and row.budget:
            lines.append([row.what, row.measured, *said])
        elif not budgets and not row.budget:
            lines.append([row.what, row.measured or said[1]])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def answers(run: Mapping[str, object]) -> list[tuple[str, Row]]:
    """Return what users ask, with the rows that answer it, in the order of QUESTIONS."""
    found = []
    rows = list(_rows(run))
    for pattern, question in QUESTIONS:
        for row in rows:
            if match := re.fullmatch(pattern, row.what):
                found.append((question.format(*match.groups()), row))
    return found


def headlines(run: Mapping[str, object]) -> str:
    """Return the answers to what users ask, as Markdown."""
    lines = ["| what users ask | measured (middle half) | goal | |", "| --- | --- | --- | --- |"]
    for question, row in answers(run):
        verdict = f"**{row.verdict}**" if row.verdict == "missed" else row.verdict
        remark = ": ".join(filter(None, [verdict, row.remark]))
        lines.append(f"| {question} | {row.measured} | {row.budget} | {remark} |")
    return "\n".join(lines)


def one_page(run: Mapping[str, object]) -> str:
    """Return the same answers as text for a terminal."""
    lines = ["what users ask"]
    for question, row in answers(run):
        goal = f"goal {row.budget}: {row.verdict}" if row.budget else row.verdict
        lines += [f"  {question}", f"      {row.measured:36}{goal}".rstrip()]
        lines += [f"      {row.remark}"] if row.remark else []
    return "\n".join(lines)


def documented(text: str, run: Mapping[str, object]) -> str:
    """Return the page docs/performance.md with the tables of this run."""
    load, started, known = run["load_before"], run["started"], run["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in known["packages"].items())
    again = "".join(f"; {found['title']} again {found['again']}" for found in run["figures"] if "again" in found)
    parts = {
        "headlines": headlines(run),
        "budgets": markdown(run, budgets=True),
        "figures": markdown(run, budgets=False),
        "machine": f"Measured {started} by `{known['command']}` on {known['processor']}, {known['cores']} cores (load "
        f"before: {load:.1f}); Python {known['python']}, {packages}{again}.",
        "capacity": table(Fleet(), GPUS),
    }
    for name, part in parts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        text = re.sub(f"{begin}.*?{end}", lambda _, whole=f"{begin}{part}\n{end}": whole, text, flags=re.DOTALL)
    return text


def page(run: Mapping[str, object], machine: str) -> str:
    """Return the whole run as HTML, with its plots."""
    budgets = [row for row in _rows(run) if row.budget]
    met = sum(row.verdict == "met" for row in budgets)
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>hubserve: benchmarks</title><style>{_STYLE}{_LINES}</style>",
        f"<h1>hubserve: benchmarks</h1><p>{met} of {len(budgets)} budgets met.</p>",
        f"<pre>{html.escape(machine)}</pre>",
        "<h2>What users ask</h2>",
        _table([dataclasses.replace(row, what=question) for question, row in answers(run)]),
        "<h2>Budgets</h2>",
        _table(budgets),
    ]
    for figures in all_figures(run):
        free = [row for row in figures.rows if not row.budget]
        parts += [f"<h2>{html.escape(figures.title)}</h2><pre>$ {html.escape(figures.command)}</pre>"]
        parts += [_table(free)] if free else []
        parts += [drawn(plot) for plot in figures.plots]
    return "\n".join(parts) + "\n"


def all_figures(run: Mapping[str, object]) -> list[Figures]:
    return [Figures.of(found) for found in run["figures"]]


def _rows(run: Mapping[str, object]) -> Iterable[Row]:
    return (row for figures in all_figures(run) for row in figures.rows)


def _table(rows: Sequence[Row]) -> str:
    budgets = any(row.budget for row in rows)
    cells = []
    for row in rows:
        what, remark = html.escape(row.what), f"<small>{html.escape(row.remark)}</small>" if row.remark else ""
        measured = html.escape(row.measured or row.verdict)
        cells.append(f'<tr><td>{what}{remark}</td><td class="number">{measured}</td>')
        if budgets:
            cells.append(f'<td class="number">{row.budget}</td><td class="{row.verdict}">{row.verdict}</td>')
    head = "<tr><th>what</th><th>median (middle half)</th>" + ("<th>budget</th><th></th>" if budgets else "")
    return f'<div class="wide"><table>{head}{"".join(cells)}</table></div>'


def drawn(plot: Plot) -> str:
    """Return the plot, drawn."""
    points = [point for line in plot.lines.values() for point in line]
    ground = _HEIGHT - _BOTTOM
    x, across = _axis([point[0] for point in points], "x" in plot.log, _LEFT, _WIDTH - 16)
    y, up = _axis([point[1] for point in points], "y" in plot.log, ground, _TOP + 16 * len(plot.lines))
    title = html.escape(plot.title)
    parts = [
        f'<figure><figcaption>{title}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" role="img" aria-label="{title}">',
        *(svg.across(y(value), _LEFT, _WIDTH - 16, "grid", _brief(value)) for value in up),
        *(svg.text(x(value), ground + 16, _brief(value), "tick", "middle") for value in across),
        svg.text(_WIDTH / 2, _HEIGHT - 6, plot.x, "tick", "middle"),
    ]
    for number, (name, line) in enumerate(plot.lines.items()):
        places = [(x(one), y(other)) for one, other in line]
        parts.append(svg.polyline(places, f"p{number}"))
        parts += [svg.dot(*place, f"d{number}", name) for place in places]
        parts.append(svg.text(_LEFT + 8, _TOP + 12 + 16 * number, f"{name}, {plot.y}", f"d{number}"))
    return "".join(parts) + "</svg></figure>"


def _axis(values: Sequence[float], log: bool, start: float, end: float) -> tuple[svg.Scale, list[float]]:
    ticks = svg.log_ticks(min(values), max(values)) if log else svg.linear_ticks(max(values) or 1.0)
    return svg.Scale(ticks[0], ticks[-1], start, end, log), ticks


def _brief(value: float) -> str:
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
