"""Whose failure a failure is: the image's, which another try would not mend, or the server's, which one may."""

from __future__ import annotations

from enum import Enum

from hubserve import (
    AccessDenied,
    CallError,
    Classification,
    HubserveError,
    ImageError,
    ImageTooSlow,
    InvalidRequest,
    ModelNotFound,
    NotAModelServer,
    ServerUnavailable,
)
from hubserve.internals import Then, then

# By the time an image has one of these as its result, the client has tried for as long as it was told to.
_ENDS_THE_RUN = (ServerUnavailable, AccessDenied, ModelNotFound, NotAModelServer, InvalidRequest)
_BATCHES_IN_VAIN = 10


class Outcome(Enum):
    """What became of an image."""

    CLASSIFIED = "classified"
    # It cannot be read, or is no image, or the server refuses it or takes too long for it.
    FAILED = "failed"
    # The server did not answer.
    UNANSWERED = "unanswered"


def outcome(result: Classification) -> Outcome:
    """Tell what became of an image."""
    if result.ok:
        return Outcome.CLASSIFIED
    error = result.exception
    if error is None or isinstance(error, ImageError | ImageTooSlow):
        return Outcome.FAILED
    refused = isinstance(error, InvalidRequest) and then(error) in (Then.SPLIT, Then.SUSPECT)
    return Outcome.FAILED if refused else Outcome.UNANSWERED


class Patience:
    """Ends a run that leads nowhere: `patience.with_(result)` for each.

    Args:
        batch_size: Images in a request.
    """

    def __init__(self, batch_size: int) -> None:
        self._limit = batch_size * _BATCHES_IN_VAIN
        self._in_vain = 0
        self._met = False

    def with_(self, result: Classification) -> None:
        """Look at the next result.

        Raises:
            HubserveError: The server's failure: no answer came at all yet, waiting did not help, or many requests in a
                row failed.
        """
        now = outcome(result)
        if now is not Outcome.UNANSWERED:
            self._met = self._met or result.status is not None
            self._in_vain = 0
            return
        self._in_vain += 1
        error = result.exception
        assert isinstance(error, HubserveError)  # noqa: S101 - else it would be answered
        # What another caller of the server sent is no reason to end the run.
        neighbours = isinstance(error, CallError) and then(error) is Then.NEIGHBOUR
        at_once = not neighbours and (not self._met or isinstance(error, _ENDS_THE_RUN))
        if at_once or self._in_vain >= self._limit:
            raise error
