"""Show colours on a terminal, columns that fit into it, and one line of progress that is written over."""

from __future__ import annotations

import os
import shutil
import unicodedata
from typing import TextIO

_CLEAR_TO_END_OF_LINE = "\x1b[K"
_CUT = "…"
_BAR_COLUMNS = 20


def columns() -> int:
    """Return how many columns the terminal has: those of COLUMNS, of the terminal itself, or 80."""
    return shutil.get_terminal_size().columns


def width_of(text: str) -> int:
    """Return how many columns a terminal shows a text in: a wide character, such as a Chinese one, takes two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def fitted(text: str, width: int, *, keep_end: bool = False) -> str:
    """Return a text in so many columns: filled with blanks, or cut with an ellipsis.

    Args:
        text: The text, on one line.
        width: The columns, at least 1.
        keep_end: Cut the beginning and not the end, as a path's last part says most.
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
    """Return a bar of which a share from 0 to 1 is full, with the per cent: `[#####---------------]  25 %`."""
    share = min(max(share, 0.0), 1.0)
    full = int(share * _BAR_COLUMNS)
    done, left = ("█", "░") if "utf" in (getattr(stream, "encoding", None) or "").lower() else ("#", "-")
    return f"[{done * full}{left * (_BAR_COLUMNS - full)}] {int(share * 100):3} %"


def color() -> bool | None:
    """Return False when NO_COLOR asks for none (no-color.org) or the terminal has none.

    None leaves it to what stdout is.
    """
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def draws(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal on which a line can be written over; a file or a pipe is not."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def write_over(stream: TextIO, text: str) -> None:
    """Write a line over the one that is there; an empty one makes room for what is said next."""
    text = fitted(text, max(columns() - 1, 1)).rstrip()
    stream.write(f"\r{text}{_CLEAR_TO_END_OF_LINE}")
    stream.flush()
