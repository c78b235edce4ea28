"""The whole page: the template, filled with a run's cards, failures and figures."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from hubserve import __version__

from .cards import of_independent_labels, shown
from .overview import Overview

OTHER = "other reasons, told with each image"
_MARK = b'<meta name="generator" content="hubserve '
_MARK_WITHIN = 2048
# With fewer images, they are shown larger.
_FEW = 24
_OPEN = 12
_SORTS = (
    '<option value="score-">Score, highest first</option>\n'
    '<option value="score+">Uncertainty: lowest best score first</option>\n'
    '<option value="margin+">Uncertainty: smallest margin first</option>',
    '<option value="score-">Score, highest first</option>\n'
    '<option value="score+">Best label, lowest score first</option>',
)
# The explanation of scores: for scores that may be shares of 100 %, and for independent scores.
_MEANINGS = (
    {
        "Score": "What the model holds of a class. The bars show it, from 0 to 100&nbsp;%.",
        "Uncertainty": "There are two orders. The lowest best score comes first: no class fits the image well. The "
        "smallest margin comes first: two classes fit it nearly as well as each other. Both orders use only figures "
        "that the model gave, however many classes it left out.",
        "Margin": "The best score minus the second best. Images with one class do not have a margin and come last.",
    },
    {
        "Score": "What the model holds of a label, from 0 to 100&nbsp;%. Each label is scored for itself: several may "
        "be high for one image, and they are not shares of 100&nbsp;%.",
        "Independent labels": "An image had scores that add up to more than 100&nbsp;%. The labels of this model do "
        "not exclude each other, so that a margin between them has no meaning.",
    },
)
_MEANINGS_OF_TIME = {
    "Latency": "The latency of a request, from when it was sent until its answer arrived. An image has the latency of "
    "its request: it shares it with all images of that request.",
    "Throughput": "Images whose results came, per second, counted from the start of the run.",
}


@dataclass
class Content:
    """The content of a page, as UTF-8 HTML, in the order of the run.

    Attributes:
        cards: A card for each image that was classified.
        labels: The best labels, and the numbers by which cards refer to them.
        label_counts: The number of cards with each label.
        failures: Images that were not classified, by reason.
        reasons: The number of failures for each reason, including those that are not shown.
    """

    cards: list[bytes] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    label_counts: Counter[str] = field(default_factory=Counter)
    failures: dict[str, list[bytes]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)


def is_page(file: Path) -> bool:
    """Tell whether a file is a page of any run."""
    try:
        with file.open("rb") as opened:
            return _MARK in opened.read(_MARK_WITHIN)
    except OSError:
        return False


def parts(
    model: str, overview: Overview, content: Content, *, interrupted: bool, notes: Sequence[str] = ()
) -> Iterator[bytes]:
    """Return the parts of the page; `notes` are additional sentences for its head, as text."""
    said = [*_notes(overview, content, interrupted=interrupted), *map(shown, notes)]
    before, between, after = filled(
        title=f"{shown(model)}: {count(overview.images, 'image')}",
        heading=f"{count(overview.images, 'image')}, classified by <bdi>{shown(model)}</bdi>",
        notes=said,
        facts=overview.facts(),
        charts=overview.charts(),
        charts_name="The run in charts",
        filter_name="Label",
        options="".join(
            option(content, label)
            for label, _ in sorted(content.label_counts.items(), key=lambda item: (-item[1], item[0]))
        ),
        sorts=_SORTS[overview.independent],
        cards=len(content.cards),
        meanings=_MEANINGS[overview.independent] | _MEANINGS_OF_TIME,
    )
    yield before
    yield from _failures(content)
    yield between
    yield from map(of_independent_labels, content.cards) if overview.independent else content.cards
    yield after


def filled(
    *,
    title: str,
    heading: str,
    notes: Sequence[str],
    facts: str,
    charts: str,
    charts_name: str,
    filter_name: str,
    options: str,
    sorts: str,
    cards: int,
    meanings: Mapping[str, str],
) -> tuple[bytes, bytes, bytes]:
    """Fill the template, and return its parts: before the failures, between failures and cards, and after the cards.

    All texts are HTML.

    Args:
        title: The document's title.
        heading: The heading of the page.
        notes: Sentences below the heading.
        facts: Terms and descriptions.
        charts: Figures.
        charts_name: The name of the charts for a screen reader.
        filter_name: The property that the filter selects cards by.
        options: The filter's options.
        sorts: The orders of the cards, in addition to the order of the run.
        cards: The number of cards.
        meanings: Explanations of the figures.
    """
    style = _data("page.css") + "".join(f".w{percent}{{--w:{percent}%}}" for percent in range(1, 101))
    script = _data("page.js")
    now = datetime.now(timezone.utc)
    page = Template(_data("page.html")).substitute(
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        version=escape(__version__),
        title=title,
        heading=heading,
        date=f"{now:%Y-%m-%d %H:%M} UTC",
        date_machine=f"{now:%Y-%m-%dT%H:%MZ}",
        notes="".join(f'<p class="note">{note}</p>' for note in notes),
        facts=facts,
        charts=charts,
        charts_name=charts_name,
        filter=filter_name,
        options=options,
        sorts=sorts,
        shown=count(cards, "image"),
        few=" few" if cards <= _FEW else "",
        meaning="\n".join(f"<div><dt>{term}</dt><dd>{text}</dd></div>" for term, text in meanings.items()),
    )
    before, _, rest = page.partition("<!-- failures -->\n")
    between, _, after = rest.partition("<!-- cards -->\n")
    return before.encode(), between.encode(), after.encode()


def _notes(overview: Overview, content: Content, *, interrupted: bool) -> Iterator[str]:
    if interrupted:
        yield "The run ended before its time. This is what was done until then."
    if overview.earlier:
        yield (
            f"The run was resumed. {overview.earlier:,} of its {count(overview.images, 'image')} come from the "
            "records of earlier starts, which hold no times: latency, throughput and duration are of the last start."
        )
    held = sum(map(len, content.failures.values()))
    if len(content.cards) < overview.classified or held < overview.failed:
        yield (
            f"The run had more than a page holds: here are {len(content.cards):,} of {overview.classified:,} images "
            f"that were classified, and {held:,} of {overview.failed:,} failures. Counts and charts are of all."
        )


def option(content: Content, label: str) -> str:
    """Return the option of a label in the filter."""
    number = content.label_counts[label]
    return f'<option value="{content.labels.get(label, "")}">{shown(label) or "(no label)"} ({number:,})</option>\n'


def _failures(content: Content) -> Iterator[bytes]:
    if not content.reasons:
        return
    failed = count(content.reasons.total(), "image")
    yield (
        '<section id="failures" class="failures" aria-labelledby="failures-heading">'
        f'<h2 id="failures-heading">Failures</h2><p>{failed} without an answer of the model, by reason.</p>\n'
    ).encode()
    for reason, number in content.reasons.most_common():
        rows = content.failures.get(reason, [])
        more = f"<p>and {number - len(rows):,} more</p>" if number > len(rows) else ""
        opened = " open" if number <= _OPEN else ""
        yield f"<details{opened}><summary><b>{count(number, 'image')}:</b> {shown(reason)}</summary><ul>\n".encode()
        yield from rows
        yield f"</ul>{more}</details>\n".encode()
    yield b"</section>\n"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 image`, `1,234 images`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _data(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the hash with which a content security policy allows a script or style inside the page."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
