"""Search for images that make their batch fail: images that are refused, and images that take too long."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

from .._errors import CallError, HubserveError, ImageTooSlow
from .._images.encode import EncodedImage
from .._results import ImageResult
from .pieces import Piece
from .retry import Contact

_log = logging.getLogger("hubserve")

# An image that is refused alone is retried once: the server may have batched it with another client's bad image.
_REFUSALS_TO_CONVICT = 2
# If the model has never answered, and this many single images are refused in the same words, the search is hopeless.
_HOPELESS = 64
# An image that times out alone is retried once, after the server has answered another one.
_TIMEOUTS_TO_CONVICT = 2
# After this number of requests in a row without an answer, the server probably answers nothing: no search.
_SILENT = 10


class Search:
    """Split failed batches in halves until a bad image is alone. See `Run`.

    Args:
        contact: What the client knows about its servers.

    Attributes:
        waiting: What is sent next, one piece at a time: the server could put two into one batch, and fail both.
    """

    def __init__(self, contact: Contact) -> None:
        self._contact = contact
        self.waiting: deque[Piece] = deque()
        self._words = ""
        self._refused_alone = 0
        self._answers = 0
        self._silent = 0
        self._good: EncodedImage | None = None

    def answered(self) -> None:
        """Record that the server has answered a request."""
        self._answers += 1
        self._silent = 0

    def looked_at(self, results: Sequence[ImageResult], images: Sequence[EncodedImage]) -> None:
        """Keep one image that the model has answered."""
        if self._good is None:
            self._good = next((image for image, result in zip(images, results, strict=True) if result.ok), None)

    def hopeless(self, error: CallError) -> bool:
        """Tell whether a further search is probably useless."""
        return not self._contact.predicts and self._refused_alone >= _HOPELESS and error.details == self._words

    def refused(self, piece: Piece, error: CallError) -> bool:
        """Split the images until a bad one is alone: at most 2 N - 1 more requests for N images, and N retries.

        Returns:
            True if they are sent again; False if the failure is theirs.
        """
        if self.hopeless(error):
            return self._probe(piece, error)
        if len(piece.images) > 1:
            _log.info("searching %d images for the one that fails them: %s", len(piece.images), error)
            self.waiting.extendleft(reversed(_halves(piece)))
            return True
        piece.refusals += 1
        if piece.refusals < _REFUSALS_TO_CONVICT:
            piece.suspect = True
            self.waiting.appendleft(piece)
            return True
        self._refused_alone = self._refused_alone + 1 if error.details == self._words else 1
        self._words = error.details
        return False

    def too_slow(self, piece: Piece, error: CallError, at: float | None) -> list[tuple[Piece, HubserveError]] | None:
        """Search for the image that takes too long: after two timeouts, a request's images are split in halves.

        A single image gets the error when it times out twice, and the server has answered another request in between.
        If the server answers nothing, an image that was answered before is sent until it is answered again, because the
        server may still be working on the slow one.

        Args:
            piece: The piece that timed out.
            error: The failure.
            at: The time of the retry by the retry policy; None: no retry.

        Returns:
            The images that fail for good, with their errors; None if there is no search, and the request is retried or
            reported.
        """
        self._silent += 1
        if self._contact.retry.max_seconds <= 0 or self._contact.several:
            # Of several servers one may hang, and the next one answers: the image is not the cause.
            return None
        if piece.control:
            return self._wait_for_control(piece, error, at)
        piece.timeouts += 1
        if piece.timeouts == 1:
            piece.answers = self._answers
        in_vain = self._good is None and self._silent > _SILENT
        if in_vain or (piece.timeouts < _TIMEOUTS_TO_CONVICT and not piece.slow):
            return None
        alone = len(piece.images) == 1
        if alone and piece.timeouts >= _TIMEOUTS_TO_CONVICT and self._answers > piece.answers:
            return [(piece, ImageTooSlow.of(piece.images[0].source, error))]
        _log.info("searching %d images for the one that takes too long: %s", len(piece.images), error)
        parts = [piece] if alone else _halves(piece)
        for part in parts:
            part.slow = part.suspect = True
        if alone and self._good is None:
            # Other images may show that the server answers.
            self.waiting.append(piece)
        else:
            self.waiting.extendleft(reversed(parts))
        if self._good is not None and (alone or self._silent >= _TIMEOUTS_TO_CONVICT):
            control = Piece([self._good], suspect=True)
            control.control = True
            self.waiting.appendleft(control)
        return []

    def _wait_for_control(
        self, control: Piece, error: CallError, at: float | None
    ) -> list[tuple[Piece, HubserveError]]:
        """Send the control again; when the retry time is over, return the images that wait for it as failed."""
        if at is not None:
            self.waiting.appendleft(control)
            return []
        waiting, self.waiting = self.waiting, deque()
        self.waiting.extend(piece for piece in waiting if not (piece.slow or piece.control))
        return [(piece, error) for piece in waiting if piece.slow]

    def _probe(self, piece: Piece, error: CallError) -> bool:
        """Send the first, the middle and the last image alone: if one is answered, the others are searched too."""
        last = len(piece.images) - 1
        if not last:
            return False
        places = sorted({0, last // 2, last})
        rest = Piece([image for place, image in enumerate(piece.images) if place not in places], suspect=True)
        rest.given_up = error
        probes = [Piece([piece.images[place]], suspect=True) for place in places]
        self.waiting.extendleft(reversed([*probes, rest] if rest.images else probes))
        return True


def _halves(piece: Piece) -> list[Piece]:
    middle = len(piece.images) // 2
    return [Piece(images, suspect=True) for images in (piece.images[:middle], piece.images[middle:])]
