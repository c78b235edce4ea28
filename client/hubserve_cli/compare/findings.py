"""The result of a comparison, as text for a terminal and as one JSON document."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hubserve import Classification

from ..common.histogram import Histogram
from ..common.local_server import Served
from .pairs import Pair
from .rules import Check, Rules
from .sides import Side
from .tally import Tally

FORMAT = 1
_PERCENTILES = (50, 95)
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of a whole comparison.

    Attributes:
        sides: A and B, as they were given and as they run.
        tally: The counts.
        rules: The rules of the comparison.
        checks: The result of each rule.
        differences: Images to inspect: flips, and failures of one side.
        left_out: Sentences about what was not compared.
    """

    sides: Sequence[tuple[Side, Served]]
    tally: Tally
    rules: Rules
    checks: Sequence[Check]
    differences: Sequence[Pair]
    left_out: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Tell whether B follows all rules."""
        return all(check.passed for check in self.checks)

    @property
    def verdict(self) -> str:
        """The verdict, in a sentence."""
        if self.passed:
            return "B answers as A does: every check passed"
        return f"B differs from A: {', '.join(check.name for check in self.checks if not check.passed)}"

    def lines(self) -> Iterator[str]:
        """Return the text for a terminal."""
        for letter, words in zip("AB", self.named(), strict=True):
            yield f"{letter}  {words}"
        if self.itself:
            yield "A and B are the same server, model and version: this compares it with itself"
        tally = self.tally
        yield f"{tally.images:,} images, {tally.both:,} classified by both"
        yield from self.left_out
        yield ""
        width = max(len(check.name) for check in self.checks)
        for check in self.checks:
            yield f"{'ok' if check.passed else 'DIFFERS':8}{check.name:{width}}  {check.says}"
        yield ""
        yield self.verdict

    def named(self) -> list[str]:
        """Return the description of each side, with its versions and its engine."""
        found = []
        for (side, running), versions in zip(self.sides, self.tally.versions, strict=True):
            answered = " and ".join(str(version) for version in sorted(versions)) or "none"
            engine = f", {running.engine}" if running.engine else ""
            found.append(f"{side.name}, model {running.model}, version {answered}{engine}")
        return found

    @property
    def itself(self) -> bool:
        """Tell whether both sides are the same server, model and version."""
        (_, a), (_, b) = self.sides
        return a.target == b.target and a.model == b.model and self.tally.versions[0] == self.tally.versions[1]

    def document(self) -> dict[str, Any]:
        """Return all figures for JSON; times are milliseconds."""
        tally = self.tally
        return {
            "format": FORMAT,
            "verdict": "same" if self.passed else "different",
            "says": self.verdict,
            "sides": {
                letter: {
                    "name": side.name,
                    "server": running.target,
                    "model": running.model,
                    "engine": running.engine,
                    "versions": sorted(versions),
                    "latency_ms": _latencies(latencies),
                }
                for letter, (side, running), versions, latencies in zip(
                    "AB", self.sides, tally.versions, tally.latencies, strict=True
                )
            },
            "rules": asdict(self.rules),
            "images": tally.images,
            "both": tally.both,
            "lost": tally.lost,
            "gained": tally.gained,
            "flips": tally.flips,
            "ties": tally.ties,
            "shifted": tally.shifted(),
            "shift_limit": tally.shift_limit(),
            "checks": [{"name": check.name, "passed": check.passed, "says": check.says} for check in self.checks],
            "differences": [
                {"source": pair.a.source, "a": _short(pair.a), "b": _short(pair.b)} for pair in self.differences
            ],
        }


def _latencies(histogram: Histogram) -> dict[str, float | None]:
    found = {f"p{percent}": histogram.percentile(percent) for percent in _PERCENTILES}
    return {name: None if value is None else value / _MS for name, value in found.items()}


def _short(result: Classification) -> dict[str, Any]:
    score = result.score if result.score is not None and math.isfinite(result.score) else None
    return {"label": result.label, "score": score, "error": result.error}
