"""Decide how an image ended: by its own fault, or because the server did not answer."""

from __future__ import annotations

from enum import Enum

from ._errors import ImageError, ImageTooSlow, InvalidRequest, Then, then
from ._results import ImageResult


class Outcome(Enum):
    """The result of an image."""

    CLASSIFIED = "classified"
    # It cannot be read, is not an image, or the server refuses it or takes too long for it.
    FAILED = "failed"
    # The server did not answer.
    UNANSWERED = "unanswered"


def outcome(result: ImageResult) -> Outcome:
    """Return how an image ended."""
    if result.ok:
        return Outcome.CLASSIFIED
    error = result.exception
    if error is None or isinstance(error, ImageError | ImageTooSlow):
        return Outcome.FAILED
    refused = isinstance(error, InvalidRequest) and then(error) in (Then.SPLIT, Then.SUSPECT)
    return Outcome.FAILED if refused else Outcome.UNANSWERED
