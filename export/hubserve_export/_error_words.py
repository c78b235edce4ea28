"""Shorten the messages of other libraries' errors, so that they fit into a sentence."""

from __future__ import annotations

import re

# Keras 3: "A total of 1 objects could not be loaded. Example error message for object <...>:", and then the error.
_EXAMPLE = re.compile(r"Example error message for object [^\n]*:\s*([^\n]+)")


def first_line(error: Exception) -> str:
    """Return the first line of a TensorFlow error."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def first_sentence(error: Exception) -> str:
    """Return the first sentence of a Keras error.

    If Keras counts the objects that failed and gives one of the errors, that error is returned.
    """
    example = _EXAMPLE.search(str(error))
    line = example.group(1) if example else first_line(error)
    return line.partition(". ")[0].rstrip(".") or type(error).__name__
