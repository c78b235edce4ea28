"""A page about the differences of a comparison, with thumbnails. It looks and works like the page of a run."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path

import click

from hubserve import Classification

from ..common.files import replaced
from ..common.histogram import Histogram
from ..common.numbers import number
from ..common.svg import linear_ticks
from ..report import cards, charts, document, thumbnails
from ..report.cards import shown
from ..report.charts import Bar, Mark
from ..report.overview import fact, figure
from ..report.place import require_pillow, require_place
from .findings import Findings
from .pairs import Pair, key
from .tally import Tally

_KINDS = {
    "flip": "another best class",
    "lost": "fails in B",
    "gained": "fails in A",
    "shift": "largest shifts of the score",
}
# The most of each kind, and the most bytes of all.
_MOST = 1_000
_MOST_SHIFTS = 24
_MOST_BYTES = 48 * 2**20
_SIDE = 256
_CLASSES = 3
_BINS = 30
_MEANINGS = {
    "Best class": "The label with the highest score. If the model does not have labels, it is the class id. An image "
    "is not counted as a flip if A held both classes for as good as each other.",
    "Shift": "How far the score of A's best class moved, without its sign.",
    "Check": "A share is too large if so many cases are less likely than 5&nbsp;% when the share is the one allowed, "
    "by the exact binomial test (or the confidence that was asked for).",
    "Latency": "From sending a request until its answer. A and B get requests with the same images, in turn.",
}
_SORTS = (
    '<option value="shift-">Largest shift first</option>\n'
    '<option value="score-">Score in A, highest first</option>\n'
    '<option value="score+">Score in A, lowest first</option>'
)


class ComparePage:
    """Collect differences, and write the page: `page.add(pair, flip=True)` for each, then `page.write(findings)`.

    Args:
        file: The file to write.

    Raises:
        PlaceError: The file cannot be written, or exists and is not a page of hubserve.
        MissingExtraError: Pillow is not installed.
    """

    def __init__(self, file: Path) -> None:
        require_pillow()
        require_place(file)
        self._file = file
        self._cards: list[bytes] = []
        self._counts: Counter[str] = Counter()
        self._bytes = 0
        self._number = 0
        # The largest shifts so far, the smallest of them first.
        self._shifts: list[tuple[float, int, Pair, bytes | None]] = []

    def add(self, pair: Pair, image: bytes | None, *, flip: bool) -> None:
        """Take one pair.

        Args:
            pair: Both results.
            image: The image file's bytes, if its name is not a path on this machine.
            flip: Whether the pair counts as a flip.
        """
        self._number += 1
        kind = "flip" if flip else "lost" if pair.lost else "gained" if pair.gained else None
        if kind is not None:
            self._keep(kind, pair, image)
        elif pair.both and (shift := pair.shift()) > 0:
            entry = (shift, -self._number, pair, image)
            if len(self._shifts) < _MOST_SHIFTS:
                heapq.heappush(self._shifts, entry)
            else:
                heapq.heappushpop(self._shifts, entry)

    def write(self, findings: Findings) -> None:
        """Write the page, whole or not at all.

        Raises:
            click.ClickException: It cannot be written.
        """
        for _, _, pair, image in sorted(self._shifts, reverse=True):
            self._keep("shift", pair, image)
        try:
            with replaced(self._file) as file:
                file.writelines(self._parts(findings))
        except OSError as error:
            raise click.ClickException(
                f"the page {self._file} could not be written ({error.strerror}); the verdict is not affected"
            ) from error

    def _keep(self, kind: str, pair: Pair, image: bytes | None) -> None:
        self._counts[kind] += 1
        if self._counts[kind] > _MOST or self._bytes >= _MOST_BYTES:
            return
        seen = pair.a.ok or pair.b.ok
        make = thumbnails.of_file if image is None else thumbnails.of_bytes
        thumbnail = make(pair.a.source if image is None else image, _SIDE, convert=seen)  # type: ignore[arg-type]
        made = _card(list(_KINDS).index(kind), _KINDS[kind], pair, thumbnail).encode()
        self._bytes += len(made)
        self._cards.append(made)

    def _parts(self, findings: Findings) -> Iterator[bytes]:
        tally = findings.tally
        agreed = tally.both - tally.flips
        left_out = sum(self._counts.values()) - len(self._cards)
        notes = [] if findings.passed else [escape(findings.verdict)]
        notes += [shown(line) for line in findings.left_out]
        if findings.itself:
            notes.append("A and B are the same server, model and version: this compares it with itself.")
        if left_out:
            notes.append(f"There are more differences than a page holds: {left_out:,} are not here.")
        before, between, after = document.filled(
            title=f"{escape(findings.verdict)}",
            heading=f"{agreed:,} of {document.count(tally.both, 'image')} have the same best class in A and B",
            notes=notes,
            facts="".join(_facts(findings)),
            charts="\n".join(filter(None, (_shift_chart(tally), _latency_chart(tally)))),
            charts_name="The comparison in charts",
            filter_name="Difference",
            options="".join(
                f'<option value="{place}">{words} ({self._counts[kind]:,})</option>\n'
                for place, (kind, words) in enumerate(_KINDS.items())
                if self._counts[kind]
            ),
            sorts=_SORTS,
            cards=len(self._cards),
            meanings=_MEANINGS,
        )
        yield before
        yield _checks(findings).encode()
        yield between
        yield from self._cards
        yield after


def _facts(findings: Findings) -> Iterator[str]:
    tally = findings.tally
    for letter, words in zip("AB", findings.named(), strict=True):
        yield fact(letter, shown(words))
    yield fact("Images", f"{tally.images:,}")
    yield fact("Another best class", f"{tally.flips:,}", "bad" if tally.flips else "")
    if tally.lost or tally.gained:
        yield fact("Fail in B only", f"{tally.lost:,}", "bad" if tally.lost else "")
        yield fact("Fail in A only", f"{tally.gained:,}")
    yield fact(f"Score moved more than {tally.shift_limit():.3g}", f"{tally.shifted():,}")
    for letter, latencies in zip("AB", tally.latencies, strict=True):
        if (half := latencies.percentile(50)) is not None:
            yield fact(f"Latency of {letter}", f"{number(half / 1e6)} <small>ms, median</small>")


def _checks(findings: Findings) -> str:
    rows = "".join(
        f'<li><b class="{"" if check.passed else "bad"}">{"ok" if check.passed else "differs"}</b> '
        f"<span>{escape(check.name)}</span> <span>{shown(check.says)}</span></li>\n"
        for check in findings.checks
    )
    return (
        '<section class="checks" aria-labelledby="checks-heading"><h2 id="checks-heading">Checks</h2>\n'
        f"<ul>{rows}</ul></section>\n"
    )


def _card(kind: int, words: str, pair: Pair, thumbnail: cards.Thumbnail | None) -> str:
    shift = pair.shift() if pair.both else math.inf
    order = f' data-shift="{min(shift, 1e9):.6g}"'
    if pair.a.score is not None:
        order += f' data-score="{pair.a.score:.6g}"'
    best = key(pair.a.classes[0] if pair.a.classes else pair.b.classes[0]) if pair.a.classes or pair.b.classes else ""
    rows = f"<li><h3>{shown(str(best)) or 'no label'}</h3></li>"
    rows += "".join(_rows("A", pair.a)) + "".join(_rows("B", pair.b))
    about = words if math.isinf(shift) else f"{words} · shift&nbsp;{shift:.4g}"
    return (
        f'<li class="card" data-label="{kind}"{order}>{cards.picture(thumbnail, "no thumbnail")}<div><ol>{rows}</ol>'
        f'<p class="name">{cards.path(pair.a.source)}</p><p class="about">{about}</p></div></li>\n'
    )


def _rows(letter: str, result: Classification) -> Iterator[str]:
    if not result.ok:
        yield f"<li><span>{letter}: {shown(cards.why(result))}</span></li>"
    for found in result.classes[:_CLASSES]:
        yield f"<li><span>{letter}: {shown(str(key(found)))}</span> <span>{found.score:.4g}</span></li>"


def _shift_chart(tally: Tally) -> str:
    shifts = [(shift, count) for shift, count in tally.shifts() if math.isfinite(shift)]
    if not shifts:
        return ""
    most = max(shifts[-1][0], 2 * tally.shift_limit())
    counts = [0] * _BINS
    for shift, count in shifts:
        counts[min(int(shift / most * _BINS), _BINS - 1)] += count
    return figure(
        "Shift of the score",
        f"{tally.shifted():,} of {document.count(tally.both, 'image')} moved by more than {tally.shift_limit():.3g}.",
        charts.bars(
            "Images by the shift of their score",
            [Bar(n * most / _BINS, (n + 1) * most / _BINS, (count,)) for n, count in enumerate(counts)],
            x_label="shift of the score of A's best class",
            y_label="images",
            whole=True,
            ticks=[Mark(at, f"{at:.4g}") for at in linear_ticks(most, 5)],
            lines=[Mark(tally.shift_limit(), "allowed")],
        ),
    )


def _latency_chart(tally: Tally) -> str:
    if not tally.requests:
        return ""
    ratios = [math.log2(max(b, 1e-9) / max(a, 1e-9)) for a, b in tally.requests]
    low, high = min(min(ratios), -1.0), max(max(ratios), 1.0)
    counts = [0] * _BINS
    for ratio in ratios:
        counts[min(int((ratio - low) / (high - low) * _BINS), _BINS - 1)] += 1
    step = (high - low) / _BINS
    a, b = (_median(each) for each in tally.latencies)
    return figure(
        "Latency of B, divided by A's",
        f"The median request took {number(a)} ms in A and {number(b)} ms in B.",
        charts.bars(
            "Requests by the latency of B divided by that of A",
            [Bar(low + n * step, low + (n + 1) * step, (count,)) for n, count in enumerate(counts)],
            x_label="B's latency divided by A's (logarithmic)",
            y_label="requests",
            whole=True,
            ticks=[Mark(at, f"{2.0**at:g}") for at in range(math.ceil(low), math.floor(high) + 1)],
            lines=[Mark(0.0, "equal")],
        ),
    )


def _median(histogram: Histogram) -> float:
    return (histogram.percentile(50) or 0) / 1e6
