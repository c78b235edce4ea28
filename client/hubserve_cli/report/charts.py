"""Charts as inline SVG: numbers in, text out. Colours come from the page's style sheet, by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ..common import svg
from ..common.svg import Scale

# In units of the drawing, which are about a pixel: it is shown at 0.9 to 1.2 times this size.
_WIDTH, _HEIGHT = 360, 196
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 24, 40
_INNER_WIDTH = _WIDTH - _LEFT - _RIGHT
_INNER_HEIGHT = _HEIGHT - _TOP - _BOTTOM
_GAP = 0.8


@dataclass(frozen=True)
class Bar:
    """A bar, from x `low` to `high`; `parts` are stacked heights, one for each series."""

    low: float
    high: float
    parts: tuple[float, ...]


@dataclass(frozen=True)
class Mark:
    """A place on the x axis with a text: a tick below, or a line through the chart."""

    at: float
    text: str


def bars(
    name: str,
    bars: Sequence[Bar],
    *,
    x_label: str,
    y_label: str,
    ticks: Sequence[Mark],
    lines: Sequence[Mark] = (),
    whole: bool = False,
) -> str:
    """Return a chart of bars.

    Args:
        name: The text that a screen reader reads instead of the drawing.
        bars: At least one, from left to right.
        x_label: What the x axis measures, with its unit.
        y_label: What the y axis measures, with its unit.
        ticks: Texts below the x axis; those outside the bars are left out.
        lines: Lines through the chart, with a text above.
        whole: Heights are counts, so that the y axis has no fractions.
    """
    left, right = bars[0].low, max(bars[-1].high, bars[0].low + 1e-9)
    highest = max(sum(bar.parts) for bar in bars) or 1.0
    steps = svg.linear_ticks(highest, 4, whole=whole)
    x = Scale(left, right, _LEFT, _LEFT + _INNER_WIDTH, log=False)
    y = Scale(0.0, steps[-1], _TOP + _INNER_HEIGHT, _TOP, log=False)
    drawn = [svg.across(y(step), _LEFT, _WIDTH - _RIGHT, "grid", f"{step:,.10g}") for step in steps]
    drawn += [_series(number, bars, x, y) for number in range(len(bars[0].parts))]
    drawn += [
        svg.text(x(tick.at), _TOP + _INNER_HEIGHT + 15, tick.text, "tick", "middle")
        for tick in ticks
        if left <= tick.at <= right
    ]
    drawn += _lines([(x(line.at), line.text) for line in lines])
    drawn += [
        svg.text(_LEFT + _INNER_WIDTH / 2, _HEIGHT - 6, x_label, "axis", "middle"),
        svg.text(2, 11, y_label, "axis"),
    ]
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(name)}">{"".join(drawn)}</svg>'


def _series(number: int, bars: Sequence[Bar], x: Scale, y: Scale) -> str:
    path = []
    for bar in bars:
        below = sum(bar.parts[:number])
        if not bar.parts[number]:
            continue
        left, right = x(bar.low), x(bar.high)
        gap = min(_GAP, (right - left) / 4)
        floor, ceiling = y(below), y(below + bar.parts[number])
        # A small part stays visible.
        ceiling = min(ceiling, floor - 0.75)
        path.append(f"M{left + gap / 2:.1f} {floor:.1f}V{ceiling:.1f}H{right - gap / 2:.1f}V{floor:.1f}z")
    return f'<path class="series{number}" d="{"".join(path)}"/>'


def _lines(lines: Sequence[tuple[float, str]]) -> list[str]:
    drawn = []
    for number, (x, text) in enumerate(lines):
        drawn.append(f'<path class="line" d="M{x:.1f} {_TOP - 4}V{_TOP + _INNER_HEIGHT}"/>')
        # The first text is left of its line and the last one right, so that lines can be close together.
        anchor = "end" if number == 0 and x > _LEFT + 40 else "start"
        if anchor == "start" and x > _WIDTH - 36:
            anchor = "end"
        drawn.append(svg.text(x + (3 if anchor == "start" else -3), _TOP - 3, text, "tick", anchor))
    return drawn
