"""Patterns with braces, as bash and WebDataset expand them: `images-{0000..0099}.tar`, `{train,val}.tar`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from ._items import NoImagesError

_NUMBERS = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?", re.ASCII)
_LETTERS = re.compile(r"([A-Za-z])\.\.([A-Za-z])(?:\.\.(-?\d+))?", re.ASCII)
MOST = 1_000_000


def expanded(pattern: str) -> list[str]:
    """Return the names that a pattern stands for, in their order; a text without braces stands for itself.

    Raises:
        NoImagesError: It stands for more than a million names.
    """
    names = list(itertools.islice(_names(pattern), MOST + 1))
    if len(names) > MOST:
        raise NoImagesError(f"{pattern} stands for more than {MOST:,} names: give fewer at a time")
    return names


def _names(pattern: str) -> Iterator[str]:
    for start, character in enumerate(pattern):
        if character == "{" and (end := _end(pattern, start)) is not None:
            choices = _choices(pattern[start + 1 : end])
            if choices is not None:
                break
    else:
        yield pattern
        return
    for choice in choices:
        for inner in _names(choice) if "{" in choice else (choice,):
            for rest in _names(pattern[end + 1 :]):
                yield f"{pattern[:start]}{inner}{rest}"


def _end(pattern: str, start: int) -> int | None:
    """Return the place of the brace that closes the one at `start`."""
    depth = 0
    for place in range(start, len(pattern)):
        depth += {"{": 1, "}": -1}.get(pattern[place], 0)
        if depth == 0:
            return place
    return None


def _choices(inside: str) -> Sequence[str] | Iterator[str] | None:
    """Return what stands between two braces; None: it is neither a list nor a range, and the braces stay."""
    parts = _split(inside)
    if len(parts) > 1:
        return parts
    if found := _NUMBERS.fullmatch(inside):
        first, last = int(found[1]), int(found[2])
        # Zeros before one of the numbers give all of them its width.
        padded = any(re.match(r"-?0\d", text) for text in (found[1], found[2]))
        width = max(len(found[1]), len(found[2])) if padded else 0
        return (f"{number:0{width}d}" for number in _range(first, last, found[3]))
    if found := _LETTERS.fullmatch(inside):
        return (chr(code) for code in _range(ord(found[1]), ord(found[2]), found[3]))
    return None


def _range(first: int, last: int, step: str | None) -> range:
    by = abs(int(step or 1)) or 1
    return range(first, last + 1, by) if first <= last else range(first, last - 1, -by)


def _split(inside: str) -> list[str]:
    """Split at commas that are in no inner braces."""
    parts, depth, begun = [], 0, 0
    for place, character in enumerate(inside):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(inside[begun:place])
            begun = place + 1
    return [*parts, inside[begun:]]
