"""Write results as a table for a person: score, label and image, in columns that fit the terminal."""

from __future__ import annotations

import textwrap

import click

from hubserve import Classification

from ..common.terminal import fitted, width_of
from .records import shown

_SCORE = 5
_LABEL = 28
_GAP = "  "
_NARROWEST = 40


class Table:
    """Rows: the best class of an image with the image's path, and a row for each further class below it.

        score  label                         image
        0.942  tripod                        photographs/camera.png
        0.023  bow

    The path comes last, because it may be long. On a terminal, a path that is too long loses its beginning, and a label
    its end; the reason of a failure is below its image.

    Args:
        colour: Show failures in red.
        top_k: Classes for each image.
        width: Columns of the terminal; None: not a terminal, and nothing is cut or wrapped.
    """

    def __init__(self, *, colour: bool, top_k: int = 1, width: int | None = None) -> None:
        self._colour = colour
        self._top_k = top_k
        self._width = None if width is None else max(width, _NARROWEST)
        self._label = _LABEL if self._width is None or self._width >= 80 else _LABEL // 2
        self._indent = " " * (_SCORE + len(_GAP))
        self.header = f"{self._row('score', 'label', 'image')}\n".encode()

    def record(self, result: Classification, key: str | None = None) -> bytes:  # noqa: ARG002
        """Return the rows of one result."""
        if not result.ok:
            return self._failed(result)
        rows = [
            self._row(f"{found.score:.3f}", shown(found.label), "" if rank else shown(result.source))
            for rank, found in enumerate(result.classes[: self._top_k])
        ]
        return "".join(f"{row}\n" for row in rows or [self._row("-", "", shown(result.source))]).encode()

    def _failed(self, result: Classification) -> bytes:
        error = "" if result.error is None else result.error.removeprefix(f"{result.source}: ")
        reason = shown(error, quote=False)
        if self._width is None:
            row = self._row("-", "not classified", shown(result.source) + (f": {reason}" if reason else ""))
            return f"{row}\n".encode()
        row = self._row("-", "not classified", shown(result.source))
        below = textwrap.wrap(reason, self._width - len(self._indent))
        return "".join(f"{line}\n" for line in [row, *(self._indent + line for line in below)]).encode()

    def _row(self, score: str, label: str, image: str) -> str:
        failed = label == "not classified" and score == "-"
        if self._width is None:
            label += " " * (self._label - width_of(label))
        else:
            label = fitted(label, self._label)
            left = self._width - len(self._indent) - self._label - len(_GAP)
            image = fitted(image, left, keep_end=True).rstrip()
        if failed and self._colour:
            label = click.style(label, fg="red")
        return f"{score:>{_SCORE}}{_GAP}{label}{_GAP}{image}".rstrip()
