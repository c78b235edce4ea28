"""Send the same images to both sides, a few at a time and in turn, so that both have the same conditions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import cast

from hubserve import Classification, Client, HubserveError, ImageLike
from hubserve.internals import Outcome, outcome

from ..bulk.sources import Image, Unread
from .pairs import Pair


@dataclass(frozen=True, slots=True)
class Asked:
    """The results of a few images.

    Attributes:
        pairs: The results of each image, with its bytes if it came from an archive or a URL.
        seconds: The times of A's request and of B's; None: one of them did not answer.
    """

    pairs: Sequence[tuple[Pair, bytes | None]]
    seconds: tuple[float, float] | None


class SideError(Exception):
    """A side did not answer, so that it cannot be judged."""

    def __init__(self, side: str, error: HubserveError) -> None:
        super().__init__(f"{side}: {error}")


def ask(a: Client, b: Client, images: Iterable[Image], *, top_k: int | None, at_once: int) -> Iterator[Asked]:
    """Send the same images to both sides, and yield the results of each request.

    The order of the sides changes with each request, so that neither always profits from the other's warm-up.

    Args:
        a: The side that sets the measure.
        b: The side that is judged.
        images: From `sources.find`; those that are not paths are read once.
        top_k: The most classes of an image; None: all that the models give.
        at_once: The number of images in a request.

    Raises:
        SideError: A side did not answer.
    """
    waiting = iter(images)
    sides = {"A": a, "B": b}
    order = ["A", "B"]
    while few := [_read(image) for image in itertools.islice(waiting, at_once)]:
        results: dict[str, list[Classification]] = {}
        for side in order:
            results[side] = _classified(side, sides[side], [given for given, _ in few], top_k)
        order.reverse()
        both = zip(results["A"], results["B"], few, strict=True)
        yield Asked(
            [(Pair(one, other), data) for one, other, (_, data) in both],
            _seconds(results["A"], results["B"]),
        )


class _Given:
    """An image that was read already, with its name: both sides get the same bytes."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self._data = data

    def read(self, size: int = -1) -> bytes:
        data, self._data = self._data[: size if size >= 0 else None], b""
        return data


def _read(image: Image) -> tuple[Callable[[], ImageLike], bytes | None]:
    """Return a function that makes the image to send, and its bytes if it is not a path."""
    if isinstance(image, str):
        return lambda: image, None
    try:
        data = b"".join(iter(lambda: image.read(2**30), b""))
    # The result of each side reports the error.
    except Exception as error:  # noqa: BLE001
        failure = error

        def fail(_: int) -> bytes:
            raise failure

        return lambda: cast(ImageLike, Unread(image.name, fail)), None
    return lambda: cast(ImageLike, _Given(image.name, data)), data


def _classified(
    side: str, client: Client, images: Sequence[Callable[[], ImageLike]], top_k: int | None
) -> list[Classification]:
    try:
        results = list(client.classify([image() for image in images], top_k=top_k))
    except HubserveError as error:
        raise SideError(side, error) from error
    for result in results:
        if outcome(result) is Outcome.UNANSWERED and isinstance(result.exception, HubserveError):
            raise SideError(side, result.exception)
    return results


def _seconds(a: Sequence[Classification], b: Sequence[Classification]) -> tuple[float, float] | None:
    one, other = ([result.seconds for result in results if result.seconds is not None] for results in (a, b))
    return (median(one), median(other)) if one and other else None
