"""Batches of images during one call, and the requests that carry them."""

from __future__ import annotations

from collections.abc import Sequence

from .._errors import CallError
from .._images.encode import EncodedImage


class Request:
    """A request to send now; `number` identifies it when it ends, `resends` counts earlier attempts."""

    __slots__ = ("images", "number", "resends")

    def __init__(self, number: int, images: Sequence[EncodedImage], resends: int = 0) -> None:
        self.number = number
        self.images = images
        self.resends = resends


class Piece:
    """Images that stay in one request until they are answered or split."""

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
        # The number of answers when this piece first timed out.
        self.answers = 0
        # Whether it is a part of a request that timed out twice.
        self.slow = False
        # Whether it only tests that the server answers: its image already has a result.
        self.control = False
        self.first_failure: float | None = None
        self.hedged = False
        self.flights: set[int] = set()
        # The error of a piece that is sent only if another image of its batch is answered.
        self.given_up: CallError | None = None


class Flight:
    """A request in flight: its piece, the time of sending, and how many were in flight then, itself included."""

    __slots__ = ("in_flight", "piece", "sent")

    def __init__(self, piece: Piece, sent: float, in_flight: int) -> None:
        self.piece = piece
        self.sent = sent
        self.in_flight = in_flight
