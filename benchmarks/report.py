"""The figures of a run as Markdown, and as one page that needs nothing else."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from capacity import GPUS, Fleet, table
from row import Figures, Plot, Row

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 460, 260, 64, 40, 12
_COLOURS = ("#1769aa", "#c2571a", "#2e7d32", "#7b3fa0", "#8a6d00")
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


def documented(text: str, run: Mapping[str, object]) -> str:
    """Return the page docs/performance.md with the tables of this run."""
    load, started, known = run["load_before"], run["started"], run["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in known["packages"].items())
    again = "".join(f"; {found['title']} again {found['again']}" for found in run["figures"] if "again" in found)
    parts = {
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
    """Return the whole run: HTML, with plots drawn in it."""
    budgets = [row for row in _rows(run) if row.budget]
    met = sum(row.verdict == "met" for row in budgets)
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>hubserve: benchmarks</title><style>{_STYLE}</style>",
        f"<h1>hubserve: benchmarks</h1><p>{met} of {len(budgets)} budgets met.</p>",
        f"<pre>{html.escape(machine)}</pre>",
        "<h2>Budgets</h2>",
        _table(budgets),
    ]
    for figures in all_figures(run):
        free = [row for row in figures.rows if not row.budget]
        parts += [f"<h2>{html.escape(figures.title)}</h2><pre>$ {html.escape(figures.command)}</pre>"]
        parts += [_table(free)] if free else []
        parts += [svg(plot) for plot in figures.plots]
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


def svg(plot: Plot) -> str:
    """Return the plot, drawn."""
    points = [point for line in plot.lines.values() for point in line]
    x, y = (_Axis([point[at] for point in points], axis in plot.log) for at, axis in enumerate("xy"))

    def place(point: Sequence[float]) -> tuple[float, float]:
        across = _LEFT + x.part(point[0]) * (_WIDTH - _LEFT - 16)
        return across, _HEIGHT - _BOTTOM - y.part(point[1]) * (_HEIGHT - _BOTTOM - _TOP - 16 * len(plot.lines))

    parts = [f'<figure><figcaption>{html.escape(plot.title)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}"']
    parts.append(f' width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{html.escape(plot.title)}">')
    ground = _HEIGHT - _BOTTOM
    parts.append(f'<path d="M{_LEFT} {_TOP}V{ground}H{_WIDTH - 16}" fill="none" stroke="currentColor" opacity=".4"/>')
    for value in x.ticks():
        across, _ = place((value, y.low))
        parts.append(f'<text x="{across:.0f}" y="{ground + 16}" text-anchor="middle">{_brief(value)}</text>')
    for value in y.ticks():
        _, up = place((x.low, value))
        parts.append(f'<text x="{_LEFT - 6}" y="{up + 4:.0f}" text-anchor="end">{_brief(value)}</text>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{html.escape(plot.x)}</text>')
    for number, (name, line) in enumerate(plot.lines.items()):
        colour, places = _COLOURS[number % len(_COLOURS)], [place(point) for point in line]
        path = " ".join(f"{across:.1f},{up:.1f}" for across, up in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across:.1f}" cy="{up:.1f}" r="3" fill="{colour}"/>' for across, up in places]
        label = html.escape(f"{name}, {plot.y}")
        parts.append(f'<text x="{_LEFT + 8}" y="{_TOP + 12 + 16 * number}" style="fill:{colour}">{label}</text>')
    return "".join(parts) + "</svg></figure>"


class _Axis:
    def __init__(self, values: Sequence[float], log: bool) -> None:
        self._log = log
        self.low = min(values) if log else 0.0
        self.high = max(values) or 1.0

    def part(self, value: float) -> float:
        """Return the place on the axis, from 0 to 1."""
        low, high, at = (math.log(v) for v in (self.low, self.high, value)) if self._log else (0.0, self.high, value)
        return (at - low) / (high - low) if high > low else 0.5

    def ticks(self) -> list[float]:
        if self._log:
            base = 10.0 if self.high > 500 * self.low else 2.0
            powers = range(math.floor(math.log(self.low, base)), math.ceil(math.log(self.high, base)) + 1)
            return [base**power for power in powers if self.low <= base**power <= self.high]
        size = 10 ** math.floor(math.log10(self.high))
        step = next(size * part for part in (0.2, 0.5, 1, 2) if self.high / (size * part) <= 6)
        return [step * number for number in range(int(self.high / step) + 1)]


def _brief(value: float) -> str:
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
