"""A figure of a benchmark, with its budget, and the reason if it does not meet it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A figure, measured a number of times in one run.

        Row("client CPU against constant bytes", [1.41, 1.38, 1.47], at_most=1.5)
        Row("first answer", [4.1, 3.9], unit="s")
        Row("bfloat16 against float32", [], at_least=1.3, reason="this CPU has no bfloat16 instructions")

    Attributes:
        what: What is measured, against what.
        values: A value for each round; none if it could not be measured: then `reason` says why.
        unit: "x" for a ratio.
        at_most: The budget.
        at_least: The budget, where more is better.
        reason: Why it is not measured; or why it missed its budget on another occasion, shown only if it does again.
    """

    what: str
    values: Sequence[float]
    unit: str = "x"
    at_most: float | None = None
    at_least: float | None = None
    reason: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def budget(self) -> str:
        """The budget in words, "" for none."""
        words = [("at most", self.at_most), ("at least", self.at_least)]
        return ", ".join(f"{word} {limit:g} {self.unit}" for word, limit in words if limit is not None)

    @property
    def verdict(self) -> str:
        """ "met", "missed", "not measured", or "" without a budget."""
        if not self.values:
            return "not measured"
        if not self.budget:
            return ""
        low = self.at_least is None or self.median >= self.at_least
        high = self.at_most is None or self.median <= self.at_most
        return "met" if low and high else "missed"

    @property
    def remark(self) -> str:
        """The reason, if there is something to explain."""
        return self.reason if self.verdict in ("missed", "not measured") else ""

    @property
    def measured(self) -> str:
        """The median, and the ends of the middle half if there is more than one value."""
        if not self.values:
            return ""
        if len(self.values) == 1:
            return f"{_short(self.median)} {self.unit}"
        low, _, high = statistics.quantiles(self.values, method="inclusive")
        return f"{_short(self.median)} {self.unit} ({_short(low)} to {_short(high)})"

    def __str__(self) -> str:
        figures = f"      {self.measured:36}{self.budget:18}{self.verdict}".rstrip()
        return f"  {self.what}\n{figures}" + (f": {self.remark}" if self.remark else "")


@dataclass(frozen=True)
class Plot:
    """Lines over common axes: `Plot("throughput", "replicas", "images/s", {"measured": [(1, 50), (2, 99)]}, log="xy")`.

    Attributes:
        title: The caption.
        x: The words on the x axis.
        y: The words on the y axis.
        lines: Points by name.
        log: The axes that are logarithmic: "", "x" or "xy". Other axes begin at 0.
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    log: str = ""


@dataclass
class Figures:
    """The figures of a benchmark: rows, plots, and the command."""

    title: str
    rows: list[Row] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    command: str = ""

    def add(self, row: Row) -> None:
        """Keep the row, and print it."""
        self.rows.append(row)
        print(row, flush=True)

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def of(cls, found: Mapping[str, object]) -> Figures:
        """Make figures from the parsed output of `write`."""
        rows = [Row(**row) for row in found["rows"]]
        plots = [Plot(**plot) for plot in found["plots"]]
        return cls(str(found["title"]), rows, plots, str(found["command"]))


def ratios(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Return the ratio of each round."""
    return [a / b for a, b in zip(one, other, strict=True)]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
