"""Charts in SVG: scales, round figures for an axis, and shapes; the style sheet has the colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Scale:
    """Place figures on a line: `Scale(low=1, high=100, start=0, end=300, log=True)(10)` is 150.

    Attributes:
        low: The figure at `start`.
        high: The figure at `end`.
        start: The place of `low`, in pixels.
        end: The place of `high`, in pixels; less than `start` for an axis that goes up.
        log: Whether the scale is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool

    def __call__(self, figure: float) -> float:
        """Return the place of a figure."""
        low, high, figure = (math.log(f) if self.log else f for f in (self.low, self.high, figure))
        return self.start + (self.end - self.start) * (figure - low) / (high - low)


def linear_ticks(high: float, count: int = 5, *, whole: bool = False) -> list[float]:
    """Return round figures from 0 to the first that is at least `high`, about `count`; no fractions if `whole`."""
    raw = max(high / count if high > 0 else 1.0, 1.0 if whole else 0.0)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * own for own in _STEPS if power * own >= raw * (1 - 1e-9))
    return [number * step for number in range(math.ceil(high / step - 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return round figures from the last that is at most `low` to the first that is at least `high`."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    # Three in each power of ten, unless there are many powers.
    steps = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    lowest = max((tick for tick in ticks if tick <= low * (1 + 1e-9)), default=ticks[0])
    highest = min((tick for tick in ticks if tick >= high * (1 - 1e-9) and tick > lowest), default=10.0 * ticks[-1])
    return [tick for tick in ticks if lowest <= tick <= highest]


def spread_out(places: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """Move labels that would overlap, by as little as possible, and keep them between low and high."""
    moved = dict.fromkeys(range(len(places)), 0.0)
    before = -math.inf
    for index in sorted(moved, key=lambda index: places[index]):
        before = moved[index] = max(places[index], before + distance, low)
    after = math.inf
    for index in sorted(moved, key=lambda index: -moved[index]):
        after = moved[index] = min(moved[index], after - distance, high)
    return list(moved.values())


def text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    """Write words at a place: `kind` is the class in the style sheet, `anchor` is "start", "middle" or "end"."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def polyline(places: Sequence[tuple[float, float]], kind: str) -> str:
    """Draw a line through places."""
    return f'<polyline class="line {kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'


def dot(x: float, y: float, kind: str, title: str) -> str:
    """Draw a point, with a title that a pointer over it shows."""
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{escape(title)}</title></circle>'


def across(y: float, left: float, right: float, kind: str, label: str) -> str:
    """Draw a line from left to right, with its figure on the left."""
    return f'<path class="{kind}" d="M{left} {y:.1f}H{right}"/>{text(left - 7, y + 4, label, "tick", "end")}'
