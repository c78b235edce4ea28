"""One `classify` or `features` call, as a state machine without I/O, threads or clocks.

A driver pushes images in, sends the requests that `Run` returns, reports how each ended, and takes results out:

    run.push(image, now)          run.next_request(now) -> Request | None      run.take_results() -> [result, ...]
    run.end()                     run.answered(number, response, now)          run.take_abandoned() -> [number, ...]
    run.wants_images              run.failed(number, error, now)               run.wake_at() -> seconds | None

The table in `hubserve._errors` and `hubserve._schedule.retry` decide what happens after a failure. While a server is
down, only one request at a time is sent to test it. So the number of retries depends on the length of an outage, and
not on the number of waiting images.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Generic, TypeVar

from .._errors import CallError, DeadlineExceeded, HubserveError, MalformedAnswer, ServerBusy, Then, then
from .._images.encode import EncodedImage
from .._results import ImageResult
from ..wire.codec import Reader
from .batching import Capacity, Cutter, cut
from .pieces import Flight, Piece, Request
from .retry import REPEATS, Contact
from .search import Search
from .window import Window

_log = logging.getLogger("hubserve")
_Result = TypeVar("_Result", bound=ImageResult)

# How far answers may be ahead of an earlier one, in windows: a slow replica should not stop the others at once.
_WINDOWS_AHEAD = 4


class Run(Generic[_Result]):
    """The state of one call; see the module.

    Args:
        read: Returns the results in an answer. Its `MalformedAnswer` becomes the error of the images.
        kind: The class of the results.
        capacity: What one request may hold; lowered when the server takes less.
        contact: What the client knows about its servers.
        window: How many requests may be in flight.
        ordered: Return results in the order of the images.
        linger: Seconds after which a batch is sent though it is not full; None: only the last batch may be smaller.

    Attributes:
        ended: Whether `end` was called.
    """

    def __init__(
        self,
        *,
        read: Reader[_Result],
        kind: type[_Result],
        capacity: Capacity,
        contact: Contact,
        window: Window,
        ordered: bool,
        linger: float | None = None,
    ) -> None:
        self._read = read
        self._kind = kind
        self._capacity = capacity
        self._contact = contact
        self._window = window
        self._ordered = ordered
        self._linger = linger
        self._cutter = Cutter(capacity)
        self._collecting_since = 0.0
        self._fresh: deque[Piece] = deque()
        self._again: deque[Piece] = deque()
        self._search = Search(contact)
        self._flights: dict[int, Flight] = {}
        self._sent = 0
        self._abandoned: list[int] = []
        self.ended = False
        self._failing = False
        self._not_before = 0.0
        self._reduced_at = 0.0
        self._results: dict[int, _Result] = {}
        self._taken = 0
        self._given = 0

    @property
    def wants_images(self) -> bool:
        """Tell whether the next image may be pushed: at most one batch waits for room."""
        return not (self.ended or self._fresh or self._search.waiting or self._too_far_ahead)

    @property
    def finished(self) -> bool:
        """Tell whether every pushed image is answered, and no more images will come."""
        return self.ended and self._taken == self._given

    @property
    def watches_the_clock(self) -> bool:
        """Tell whether something may become due without another event."""
        return bool(self._again or self._search.waiting) or self._contact.retry.hedge_after is not None

    @property
    def in_flight(self) -> int:
        """The number of requests in flight."""
        return len(self._flights)

    def push(self, image: EncodedImage, now: float) -> None:
        """Add the next image."""
        self._taken += 1
        if image.error is not None:
            self._settle(image, self.failure(image, image.error))
            return
        if not len(self._cutter):
            self._collecting_since = now
        if batch := self._cutter.add(image):
            self._fresh.append(Piece(batch, full=True))
            self._collecting_since = now

    def end(self) -> None:
        """Record that there are no more images."""
        self.ended = True
        if rest := self._cutter.rest():
            self._fresh.append(Piece(rest))

    def next_request(self, now: float) -> Request | None:
        """Return a request to send now, or None."""
        lingered = self._linger is not None and now >= self._collecting_since + self._linger
        # Send the batch although it is not full: no image can be added until its results are taken.
        if len(self._cutter) and (lingered or (self._ordered and self._too_far_ahead)):
            self._fresh.append(Piece(self._cutter.rest()))
        piece = self._next_piece(now) or self._next_hedge(now)
        if piece is None:
            return None
        self._sent += 1
        self._flights[self._sent] = Flight(piece, now, len(self._flights) + 1)
        piece.flights.add(self._sent)
        piece.sent += 1
        return Request(self._sent, piece.images, piece.sent - 1)

    def wake_at(self) -> float | None:
        """Return the time at which to call `next_request` without another event, or None."""
        times = []
        if self._again or self._search.waiting or self._fresh:
            if self._room():
                times.append(self._not_before)
        elif self._linger is not None and len(self._cutter):
            times.append(self._collecting_since + self._linger)
        if (after := self._contact.retry.hedge_after) is not None:
            times += [flight.sent + after for flight in self._flights.values() if not flight.piece.hedged]
        return min(times, default=None)

    def answered(self, number: int, response: bytes, now: float) -> None:
        """Record an answer.

        Raises:
            UnsuitableModel: The model does not have the outputs that the call needs.
        """
        flight = self._land(number)
        if flight is None:
            return
        piece = flight.piece
        self._abandoned += piece.flights
        for other in piece.flights:
            del self._flights[other]
        self._contact.answered(now)
        self._contact.predicts = True
        self._search.answered()
        self._failing = False
        self._not_before = 0.0
        if piece.control:
            return
        if piece.full and not piece.hedged:
            self._window.answered(now - flight.sent, flight.in_flight)
        try:
            results = list(self._read(response, piece.images, now - flight.sent))
        except MalformedAnswer as error:
            self._report(piece, error)
            return
        for image, result in zip(piece.images, results, strict=True):
            self._settle(image, result)
        self._search.looked_at(results, piece.images)

    def failed(self, number: int, error: CallError, now: float) -> None:
        """Record a failure: its images are retried, split into smaller requests, or get the error as their result."""
        flight = self._land(number)
        if flight is None:
            return
        piece = flight.piece
        if isinstance(error, ServerBusy) and flight.sent >= self._reduced_at:
            self._window.overloaded()
            self._reduced_at = now
        at = self._contact.retry_at(error, sent=flight.sent, now=now, first_failure=piece.first_failure)
        if piece.flights:
            # A second request for the same images is still in flight.
            return
        if isinstance(error, DeadlineExceeded) and (given_up := self._search.too_slow(piece, error, at)) is not None:
            if piece.control and at is not None:
                self._wait(at)
            for slow, why in given_up:
                self._report(slow, why)
            return
        if piece.control:
            # The failure will also hit the images that wait behind it.
            return
        if at is not None:
            piece.first_failure = now if piece.first_failure is None else piece.first_failure
            piece.hedged = False
            self._wait(at)
            _log.info("retrying %d images in %.2f s: %s", len(piece.images), at - now, error)
            if piece.suspect:
                # It comes before the pieces that wait for its outcome.
                self._search.waiting.appendleft(piece)
            else:
                self._again.append(piece)
        elif then(error) is Then.SPLIT and len(piece.images) > 1:
            self._learn(piece, error)
            self._again.extendleft(Piece(images) for images in reversed(cut(piece.images, self._capacity.limits)))
        elif then(error) is Then.SUSPECT:
            if not self._search.refused(piece, error):
                self._report(piece, error)
        elif piece.repeats < REPEATS.get(then(error), 0):
            self._repeat(piece, error)
        else:
            self._report(piece, error)

    def take_results(self) -> list[_Result]:
        """Return the results that are due, each once."""
        if not self._ordered:
            ready = list(self._results.values())
            self._results.clear()
            self._given += len(ready)
            return ready
        ready = []
        while self._given in self._results:
            ready.append(self._results.pop(self._given))
            self._given += 1
        return ready

    def take_abandoned(self) -> list[int]:
        """Return the requests whose answers are no longer needed."""
        abandoned, self._abandoned = self._abandoned, []
        return abandoned

    @property
    def _too_far_ahead(self) -> bool:
        return self._taken - self._given > _WINDOWS_AHEAD * self._window.limit * self._capacity.limits.max_size

    def _room(self) -> bool:
        # A suspect is sent alone: the server could put it into one batch with others, and they would fail with it.
        if self._search.waiting or self._failing or any(flight.piece.suspect for flight in self._flights.values()):
            return not self._flights
        return len(self._flights) < self._window.limit

    def _next_piece(self, now: float) -> Piece | None:
        if not self._room() or now < self._not_before:
            return None
        for waiting in (self._search.waiting, self._again, self._fresh):
            while waiting:
                piece = waiting.popleft()
                if piece.given_up is None or not self._search.hopeless(piece.given_up):
                    return piece
                self._report(piece, piece.given_up)
        return None

    def _next_hedge(self, now: float) -> Piece | None:
        after = self._contact.retry.hedge_after
        if after is None:
            return None
        for flight in self._flights.values():
            if not flight.piece.hedged and now >= flight.sent + after:
                flight.piece.hedged = True
                if self._contact.may_hedge(now):
                    return flight.piece
        return None

    def _land(self, number: int) -> Flight | None:
        flight = self._flights.pop(number, None)
        if flight is not None:
            flight.piece.flights.discard(number)
        return flight

    def _wait(self, at: float) -> None:
        """Send nothing before this time."""
        self._failing = True
        self._not_before = max(self._not_before, at)

    def _repeat(self, piece: Piece, error: CallError) -> None:
        """Retry the images, because another request in the server's batch may have caused the failure."""
        _log.debug("retrying %d images that another request may have failed: %s", len(piece.images), error)
        piece.repeats += 1
        if then(error) is Then.ALONE:
            piece.suspect = True
            self._search.waiting.append(piece)
        else:
            self._again.append(piece)

    def _learn(self, piece: Piece, error: CallError) -> None:
        """Lower the limits after a refusal for size."""
        total = sum(len(image.data) for image in piece.images)
        self._capacity.lower(self._capacity.limits.lowered(error, len(piece.images), total))
        limits = self._capacity.limits
        _log.warning("sending at most %d images and %d bytes at once: %s", limits.max_size, limits.max_bytes, error)

    def _report(self, piece: Piece, error: HubserveError) -> None:
        _log.warning("%d images failed, the first of them %s: %s", len(piece.images), piece.images[0].source, error)
        for image in piece.images:
            self._settle(image, self.failure(image, error))

    def failure(self, image: EncodedImage, error: HubserveError) -> _Result:
        """Return the result of an image that an error keeps from being answered."""
        # Results may be kept for long, and a traceback would keep the whole batch in memory.
        error.__traceback__ = None
        for origin in (error.__cause__, error.__context__):
            if origin is not None:
                origin.__traceback__ = None
        return self._kind(source=image.source, index=image.index, exception=error)

    def _settle(self, image: EncodedImage, result: _Result) -> None:
        self._results[image.index] = result
