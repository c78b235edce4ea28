"""A result as HTML. Names, labels and errors are not trusted: they are shown as text, and never run."""

from __future__ import annotations

import os
import re
from html import escape

from hubserve import Classification

from . import measures

# The most letters of a text, so that the page is bounded; file systems allow names of 255 bytes and paths of 4096.
_MOST_LETTERS = 400
_MOST_CLASSES = 10
_MARGIN = '<span class="margin">'
# A name or a label cannot contain this text, because < and " are escaped in them.
_OF_SHARES = re.compile(_MARGIN.encode() + b'[^<]*</span>| data-margin="[^"]*"')
Thumbnail = tuple[str, tuple[int, int]]


def shown(text: str) -> str:
    """Return a text as HTML: invisible characters become escapes, and a long text is cut.

    Such are control characters, characters that change the direction of writing, and bytes that are not UTF-8.
    """
    if len(text) > _MOST_LETTERS:
        text = f"{text[:_MOST_LETTERS]}… ({len(text) - _MOST_LETTERS:,} more characters)"
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() or character == "\u3000" else _code(character) for character in text
        )
    return escape(text)


def card(result: Classification, label_number: int, thumbnail: Thumbnail | None) -> str:
    """Return the card of an image that was classified."""
    scores = [found.score for found in result.classes]
    percent = measures.are_within_one(scores)
    rows = "".join(
        f'<li class="w{_width(found.score) if percent else 0}">{_label(found.label, best=rank == 0)} '
        f"<span>{_score(found.score, percent=percent)}</span></li>"
        for rank, found in enumerate(result.classes[:_MOST_CLASSES])
    )
    if (more := len(result.classes) - _MOST_CLASSES) > 0:
        rows += f"<li><span>and {more:,} more</span></li>"
    margin = measures.margin(scores)
    parts = [
        f"{thumbnail[1][0]}&nbsp;×&nbsp;{thumbnail[1][1]}" if thumbnail else "",
        f"request&nbsp;{_milliseconds(result.seconds)}&nbsp;ms" if result.seconds is not None else "",
    ]
    about = " · ".join(filter(None, parts))
    if margin is not None:
        about += f"{_MARGIN}{' · ' if about else ''}margin&nbsp;{_score(margin, percent=percent)}</span>"
    order = "".join(
        f' data-{name}="{value:.6g}"'
        for name, value in (("score", result.score), ("margin", margin))
        if value is not None
    )
    return (
        f'<li class="card" data-label="{label_number}"{order}>{picture(thumbnail, "no thumbnail")}<div><ol>{rows}</ol>'
        f'<p class="name">{path(result.source)}</p><p class="about">{about}</p></div></li>\n'
    )


def of_independent_labels(card: bytes) -> bytes:
    """Remove the margin from a card: it has a meaning only for classes that exclude each other."""
    return _OF_SHARES.sub(b"", card)


def failure(result: Classification, thumbnail: Thumbnail | None, *, with_reason: bool = False) -> str:
    """Return the card of an image that was not classified, with its reason if no heading shows it."""
    reason = f"<br>{shown(why(result))}" if with_reason else ""
    return f'<li>{picture(thumbnail)}<p class="name">{path(result.source)}{reason}</p></li>\n'


def why(result: Classification) -> str:
    """Return the reason without the image's name: it is the same for `cat.jpg: No such file` and `dog.jpg: ...`."""
    return (result.error or "it has no answer").removeprefix(f"{result.source}: ")


def _label(label: str, *, best: bool) -> str:
    text = shown(label) or "<i>no label</i>"
    return f"<h3>{text}</h3>" if best else f"<span>{text}</span>"


def picture(thumbnail: Thumbnail | None, otherwise: str = "") -> str:
    """Return a thumbnail, or words instead of it."""
    if thumbnail is None:
        return f'<div class="picture">{otherwise}</div>'
    # The text beside it describes the image, so that the alternative text is empty.
    return f'<img class="picture" src="{thumbnail[0]}" alt="" loading="lazy" decoding="async">'


def path(source: str) -> str:
    """Return an image's name, with its folder in a lighter colour."""
    folder, name = os.path.split(source)
    if not name or len(source) > _MOST_LETTERS:
        return f"<bdi>{shown(source)}</bdi>"
    return f"<bdi>{f'<span>{shown(os.path.join(folder, str()))}</span>' if folder else ''}{shown(name)}</bdi>"


def _width(score: float) -> int:
    return min(max(round(score * 100), 0), 100)


def _score(score: float, *, percent: bool) -> str:
    return f"{max(score, 0):.1%}" if percent else f"{score:.4g}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}" if seconds >= 0.01 else f"{seconds * 1000:.1f}"


def _code(character: str) -> str:
    number = ord(character)
    # os.fsdecode keeps a byte that is not UTF-8 as half of a surrogate pair.
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return (
        character.encode("unicode_escape", "surrogatepass").decode("ascii")
        if number < 0xD800 or number > 0xDFFF
        else f"\\u{number:04x}"
    )
