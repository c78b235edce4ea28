"""Images that travel together in the course of one call, and the requests that carry them."""

from __future__ import annotations

from collections.abc import Sequence

from .._errors import CallError
from .._images.encode import EncodedImage


class Request:
    """A request to be sent now; `number` names it when it ends, `resends` tells how often it was sent before."""

    __slots__ = ("images", "number", "resends")

    def __init__(self, number: int, images: Sequence[EncodedImage], resends: int = 0) -> None:
        self.number = number
        self.images = images
        self.resends = resends


class Piece:
    """Images that go together until they are answered or cut further."""

    __slots__ = (
        "answers",
        "control",
        "first_failure",
        "flights",
        "full",
        "given_up",
        "hedged",
        "images",
        "refusals",
        "repeats",
        "sent",
        "slow",
        "suspect",
        "timeouts",
    )

    def __init__(self, images: list[EncodedImage], *, full: bool = False, suspect: bool = False) -> None:
        self.images = images
        self.full = full
        self.suspect = suspect
        self.sent = 0
        self.refusals = 0
        self.repeats = 0
        self.timeouts = 0
        # How many answers there were when it first missed its time.
        self.answers = 0
        # Whether it came of a request that missed its time twice.
        self.slow = False
        # Whether it only asks if the server answers: its image has its result.
        self.control = False
        self.first_failure: float | None = None
        self.hedged = False
        self.flights: set[int] = set()
        # What refused it, when it goes only if there is hope again.
        self.given_up: CallError | None = None


class Flight:
    """A request on its way: what it carries, when it was sent, how many were out then, itself included."""

    __slots__ = ("in_flight", "piece", "sent")

    def __init__(self, piece: Piece, sent: float, in_flight: int) -> None:
        self.piece = piece
        self.sent = sent
        self.in_flight = in_flight
