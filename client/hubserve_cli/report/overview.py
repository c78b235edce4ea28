"""The figures and charts of a run, for all its images, also those that the page does not show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from hubserve import Classification

from ..common.histogram import Histogram
from ..common.numbers import duration, number
from ..common.svg import linear_ticks, log_ticks
from . import charts
from .cards import shown
from .charts import Bar, Mark
from .measures import Timeline, are_independent, are_within_one

_SCORE_BINS = 20
_LATENCY_BARS = 36
_NANOSECONDS = 1_000_000_000


class Overview:
    """Count a run's results: `overview.add(seconds_since_the_start, result)`.

    Attributes:
        earlier: Images whose record is from an earlier start of the run.
        classified: Images that were classified.
        failed: Images that were not classified.
        independent: Whether an image had scores that sum to more than 1, so that the labels do not exclude each other.
    """

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = servers
        self.earlier = 0
        self.classified = 0
        self.failed = 0
        self.independent = False
        self._versions: Counter[int] = Counter()
        self._latencies = Histogram()
        self._scores = [0] * _SCORE_BINS
        self._timeline = Timeline()

    @property
    def images(self) -> int:
        """All images that had a result."""
        return self.classified + self.failed

    def add(self, seconds: float, result: Classification) -> None:
        """Count one result, with the time since the start."""
        self._timeline.add(seconds, ok=result.ok)
        if result.seconds is not None:
            self._latencies.record(round(result.seconds * _NANOSECONDS))
        self._count(result)

    def add_earlier(self, result: Classification) -> None:
        """Count one result of an earlier start; its record does not contain times."""
        self.earlier += 1
        self._count(result)

    def _count(self, result: Classification) -> None:
        self.classified += result.ok
        self.failed += not result.ok
        if result.model_version is not None:
            self._versions[result.model_version] += 1
        scores = [found.score for found in result.classes]
        self.independent |= are_independent(scores)
        if result.score is not None and are_within_one(scores):
            self._scores[min(max(int(result.score * _SCORE_BINS), 0), _SCORE_BINS - 1)] += 1

    def facts(self) -> str:
        """Return terms and descriptions, as HTML."""
        seconds = self._timeline.last
        facts = [fact("Images", f"{self.images:,}")]
        facts.append(fact("Classified", f"{self.classified:,}"))
        if self.failed:
            facts.append(fact("Failed", f'<a href="#failures">{self.failed:,}</a>', "bad"))
        if not self.earlier:
            facts.append(fact("Took", duration(seconds, exact=True)))
        elif self.images > self.earlier:
            facts.append(fact("Last start took", duration(seconds, exact=True)))
        if seconds:
            rate = (self.images - self.earlier) / seconds
            facts.append(fact("Throughput", f"{number(rate, separator=',')} <small>images/s</small>"))
        if self.independent:
            facts.append(fact("Labels", "independent of each other"))
        if self._versions:
            versions = sorted(self._versions)
            named = " and ".join(f"{version}" for version in versions)
            facts.append(fact("Model version" if len(versions) == 1 else "Model versions", named))
        if self._servers:
            facts.append(fact("Server", ", ".join(map(shown, self._servers))))
        return "".join(facts)

    def charts(self) -> str:
        """Return the charts as HTML: latency, throughput and scores, if there are any."""
        return "\n".join(filter(None, (self._latency_chart(), self._throughput_chart(), self._score_chart())))

    def _latency_chart(self) -> str:
        histogram = self._latencies
        if histogram.least is None or histogram.most is None:
            return ""
        unit, per_unit = ("ms", 1e6) if histogram.most < 10 * _NANOSECONDS else ("s", 1e9)
        # A single value gets room on its left and right.
        low, high = max(histogram.least, 1_000) / 1.12, max(histogram.most, 1_000) * 1.12
        step = math.log(high / low) / _LATENCY_BARS
        counts = [0] * _LATENCY_BARS
        for least, most, count in histogram.buckets():
            place = int(math.log(max((least + most) / 2, low) / low) / step)
            counts[min(place, _LATENCY_BARS - 1)] += count
        left = math.log(low)
        half, most_of_all = (_percentile(histogram, percent) / per_unit for percent in (50, 99))
        return figure(
            "Latency",
            f"50% within {number(half, separator=',')} {unit}, 99% within {number(most_of_all, separator=',')} {unit}.",
            charts.bars(
                "Images by the latency of their request",
                [Bar(left + n * step, left + (n + 1) * step, (count,)) for n, count in enumerate(counts)],
                x_label=f"latency of the request ({unit}, logarithmic)",
                y_label="images",
                whole=True,
                ticks=[
                    Mark(math.log(at * per_unit), f"{at:,.10g}")
                    for at in _latency_ticks(low / per_unit, high / per_unit)
                ],
                lines=[
                    Mark(math.log(max(half * per_unit, low)), "50%"),
                    Mark(math.log(max(most_of_all * per_unit, low)), "99%"),
                ],
            ),
        )

    def _throughput_chart(self) -> str:
        timeline = self._timeline
        if not timeline.bins:
            return ""
        width = timeline.width
        bars = [
            Bar(n * width, (n + 1) * width, (classified / width, failed / width))
            for n, (classified, failed) in enumerate(timeline.bins)
        ]
        end = len(bars) * width
        unit, per_unit = ("s", 1.0) if end < 300 else ("min", 60.0) if end < 18_000 else ("h", 3600.0)
        said = (
            f"{number((self.images - self.earlier) / timeline.last, separator=',')} images per second on average. "
            if timeline.last
            else ""
        )
        if self.failed:
            said += '<span class="key"></span> classified <span class="key bad"></span> failed'
        return figure(
            "Throughput",
            said,
            charts.bars(
                "Images per second in the course of the run",
                bars,
                x_label=f"time since the start ({unit})",
                y_label="images/s",
                ticks=[Mark(at * per_unit, f"{at:,.10g}") for at in linear_ticks(end / per_unit, 6)],
            ),
        )

    def _score_chart(self) -> str:
        total = sum(self._scores)
        if not total:
            return ""
        sure = sum(self._scores[_SCORE_BINS // 2 :]) / total
        return figure(
            "Score of the best class",
            f"{sure:.0%} of the classified images have a score of at least 50%.",
            charts.bars(
                "Images by the score of their best class",
                [
                    Bar(n / _SCORE_BINS * 100, (n + 1) / _SCORE_BINS * 100, (count,))
                    for n, count in enumerate(self._scores)
                ],
                x_label="score (%)",
                y_label="images",
                whole=True,
                ticks=[Mark(at, f"{at}") for at in range(0, 101, 20)],
            ),
        )


def _percentile(histogram: Histogram, percent: float) -> int:
    value = histogram.percentile(percent)
    if value is None:
        raise ValueError("there is no percentile of nothing")
    return value


def _latency_ticks(low: float, high: float) -> list[float]:
    """Return round numbers for a logarithmic axis; a short axis gets additional ones."""
    return [tick for tick in linear_ticks(high, 8) if tick >= low] if high / low < 8 else log_ticks(low, high)


def figure(title: str, said: str, chart: str) -> str:
    """Return a chart with its title and a sentence, as HTML."""
    return f"<figure><figcaption><h2>{title}</h2><p>{said}</p></figcaption>{chart}</figure>"


def fact(term: str, description: str, kind: str = "") -> str:
    """Return a term and its description, as HTML."""
    of_kind = f' class="{kind}"' if kind else ""
    return f"<div><dt>{term}</dt><dd{of_kind}>{description}</dd></div>"
