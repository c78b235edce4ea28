"""Show colours on a terminal, and one line of progress that is written over."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

_CLEAR_TO_END_OF_LINE = "\x1b[K"


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
    width = shutil.get_terminal_size().columns - 1
    stream.write(f"\r{text[:width]}{_CLEAR_TO_END_OF_LINE}")
    stream.flush()
