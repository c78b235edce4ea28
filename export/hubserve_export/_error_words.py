"""The reasons of other libraries' errors, short enough to stand inside a sentence of ours."""

from __future__ import annotations

import re

# Keras 3: "A total of 1 objects could not be loaded. Example error message for object <...>:", and then the error.
_EXAMPLE = re.compile(r"Example error message for object [^\n]*:\s*([^\n]+)")


def first_line(error: Exception) -> str:
    """Return what TensorFlow says of an error before it goes into detail."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def first_sentence(error: Exception) -> str:
    """Return what Keras says of an error before it goes into detail.

    Where Keras counts the objects that failed and gives the error of one, that error is the reason.
    """
    example = _EXAMPLE.search(str(error))
    line = example.group(1) if example else first_line(error)
    return line.partition(". ")[0].rstrip(".") or type(error).__name__
