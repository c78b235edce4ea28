"""Colours on a terminal, columns that fit into it, and a line of progress that is overwritten."""

from __future__ import annotations

import os
import shutil
import unicodedata
from typing import TextIO

_CLEAR_TO_END_OF_LINE = "\x1b[K"
_CUT = "…"
_BAR_COLUMNS = 20


def columns() -> int:
    """Return the number of columns: from COLUMNS, from the terminal, or 80."""
    return shutil.get_terminal_size().columns


def width_of(text: str) -> int:
    """Return the columns of a text on a terminal: a wide character, such as a Chinese one, takes two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def fitted(text: str, width: int, *, keep_end: bool = False) -> str:
    """Return a text in exactly that many columns: filled with blanks, or cut with an ellipsis.

    Args:
        text: The text, on one line.
        width: The columns, at least 1.
        keep_end: Cut the beginning and not the end: the last part of a path says most.
    """
    if width_of(text) <= width:
        return text + " " * (width - width_of(text))
    ordered = text[::-1] if keep_end else text
    kept, used = "", 1
    for each in ordered:
        used += width_of(each)
        if used > width:
            used -= width_of(each)
            break
        kept += each
    blanks = " " * (width - used)
    return f"{_CUT}{kept[::-1]}{blanks}" if keep_end else f"{kept}{_CUT}{blanks}"


def bar(share: float, stream: TextIO) -> str:
    """Return a bar that is filled by a share from 0 to 1, with the percentage: `[#####---------------]  25 %`."""
    share = min(max(share, 0.0), 1.0)
    full = int(share * _BAR_COLUMNS)
    done, left = ("█", "░") if "utf" in (getattr(stream, "encoding", None) or "").lower() else ("#", "-")
    return f"[{done * full}{left * (_BAR_COLUMNS - full)}] {int(share * 100):3} %"


def color() -> bool | None:
    """Return False if NO_COLOR asks for no colour (no-color.org) or the terminal cannot show any.

    None: it depends on whether stdout is a terminal.
    """
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def draws(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal on which a line can be overwritten, and not a file or a pipe."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def write_over(stream: TextIO, text: str) -> None:
    """Write a line over the present one; an empty line makes room for other output."""
    text = fitted(text, max(columns() - 1, 1)).rstrip()
    stream.write(f"\r{text}{_CLEAR_TO_END_OF_LINE}")
    stream.flush()
