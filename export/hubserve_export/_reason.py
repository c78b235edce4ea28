"""The reasons of other libraries' errors, short enough to stand inside a sentence of ours."""

from __future__ import annotations


def first_line(error: Exception) -> str:
    """Return what TensorFlow says of an error before it goes into detail."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def first_sentence(error: Exception) -> str:
    """Return what Keras says of an error before it goes into detail."""
    return first_line(error).partition(". ")[0].rstrip(".") or type(error).__name__
