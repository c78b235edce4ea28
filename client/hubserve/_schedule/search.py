"""Search for the images that fail their batch: refused ones, and those that take all of the server's time."""

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

# An image that is refused alone is sent once more: the server may have batched it with a stranger's bad one.
_REFUSALS_TO_CONVICT = 2
# So many images refused alone in the same words, and the model has never answered: searching is probably in vain.
_HOPELESS = 64
# An image that misses its time alone is sent once more, after the server has answered another one.
_TIMEOUTS_TO_CONVICT = 2
# So many requests in a row without an answer, and nothing shows that the server answers anything: it is not searched.
_SILENT = 10


class Search:
    """Halve what failed until a bad image stands alone. See `Run`.

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
        """Take note that the server has answered a request."""
        self._answers += 1
        self._silent = 0

    def looked_at(self, results: Sequence[ImageResult], images: Sequence[EncodedImage]) -> None:
        """Keep one image that the model could answer."""
        if self._good is None:
            self._good = next((image for image, result in zip(images, results, strict=True) if result.ok), None)

    def hopeless(self, error: CallError) -> bool:
        """Tell whether to search further is probably in vain."""
        return not self._contact.predicts and self._refused_alone >= _HOPELESS and error.details == self._words

    def refused(self, piece: Piece, error: CallError) -> bool:
        """Halve the images until a bad one stands alone: at most 2 N - 1 requests more for N images, and N repeats.

        Returns:
            Whether they are sent again; else the failure is theirs.
        """
        if self.hopeless(error):
            return self._probe(piece, error)
        if len(piece.images) > 1:
            _log.info("looking for the image that fails %d: %s", len(piece.images), error)
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
        """Search for the image that takes the server's time: after two timeouts, a request's images are halved.

        A single image is convicted when it misses its time twice, and the server has answered another request in
        between. Where the server answers nothing, an image that was answered before is sent until it is answered again:
        the server may still be at work for the slow one.

        Args:
            piece: What missed its time.
            error: The failure.
            at: When the retry policy would send it again; None: never.

        Returns:
            The images that fail for good, with their errors; None where nothing is searched, and the request is tried
            again or reported.
        """
        self._silent += 1
        if self._contact.retry.max_seconds <= 0 or self._contact.several:
            # Of several servers one may hang, and the next one answers: the image is not at fault.
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
        _log.info("looking for the image that takes too long among %d: %s", len(piece.images), error)
        parts = [piece] if alone else _halves(piece)
        for part in parts:
            part.slow = part.suspect = True
        if alone and self._good is None:
            # The others may show that the server answers.
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
        """Send it again; or, when the server's time is over, give up the images that wait for it."""
        if at is not None:
            self.waiting.appendleft(control)
            return []
        waiting, self.waiting = self.waiting, deque()
        self.waiting.extend(piece for piece in waiting if not (piece.slow or piece.control))
        return [(piece, error) for piece in waiting if piece.slow]

    def _probe(self, piece: Piece, error: CallError) -> bool:
        """Ask for the first, the middle and the last image alone: one answer, and the others are searched too."""
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
