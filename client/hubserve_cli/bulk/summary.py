"""Count how a run's images ended, and group the failures by their reason, with examples."""

from __future__ import annotations

import time
from collections.abc import Iterator

from hubserve import Classification
from hubserve.internals import Outcome, outcome

from .records import shown
from .sources import LeftOut

_EXAMPLES = 3
# Errors that contain a number or an address could all be different.
_MOST_REASONS = 20
_OTHERS = "other reasons"


class Summary:
    """Count results in bounded memory: `summary.add(result)`, then `summary.lines()`.

    Args:
        before: The number of images that earlier runs recorded.
        failed_before: The number of those that were not classified.
        left_out: The files that are not images.

    Attributes:
        before: See the argument.
    """

    def __init__(self, before: int = 0, failed_before: int = 0, left_out: LeftOut | None = None) -> None:
        self.before = before
        self._failed_before = failed_before
        self._left_out = left_out or LeftOut()
        self._counts = dict.fromkeys(Outcome, 0)
        self._reasons: dict[str, _Reason] = {}
        self._several = 0
        self._versions: dict[int, int] = {}
        self._started = time.monotonic()

    def add(self, result: Classification, image: bytes | None = None, key: str | None = None) -> None:  # noqa: ARG002
        """Count the result."""
        self._counts[outcome(result)] += 1
        self._several += result.note is not None
        if result.model_version is not None:
            self._versions[result.model_version] = self._versions.get(result.model_version, 0) + 1
        if result.error is not None:
            reason = result.error.removeprefix(f"{result.source}: ")
            if reason not in self._reasons and len(self._reasons) >= _MOST_REASONS:
                reason = _OTHERS
            self._reasons.setdefault(reason, _Reason()).add(result.source)

    def close(self) -> None:
        """Do nothing: a summary has nothing to write."""

    @property
    def images(self) -> int:
        """Results of this run."""
        return sum(self._counts.values())

    @property
    def failed(self) -> int:
        """Images that could not be classified, in this run and earlier ones."""
        return self._counts[Outcome.FAILED] + self._failed_before

    @property
    def unanswered(self) -> int:
        """Images that the server did not answer."""
        return self._counts[Outcome.UNANSWERED]

    def lines(self) -> Iterator[str]:
        """Return the summary, for a person."""
        seconds = time.monotonic() - self._started
        classified = self._counts[Outcome.CLASSIFIED]
        before = self.before - self._failed_before
        if self.before and not self.images:
            yield f"{before:,} of {self.before:,} images were classified by earlier runs, and no image is left"
        else:
            rate = f"{self.images / seconds:,.0f} a second"
            yield f"{classified:,} of {self.images:,} images classified in {seconds:.1f} s ({rate})"
            if self.before:
                everything = self.images + self.before
                yield f"With earlier runs: {classified + before:,} of {everything:,} images classified"
        yield from self._left_out.lines()
        if self._several:
            yield several(self._several)
        if len(self._versions) > 1:
            counts = ", ".join(f"{count:,} by version {version}" for version, count in sorted(self._versions.items()))
            yield f"The model changed meanwhile: {counts}"
        if self._reasons:
            yield f"{self._counts[Outcome.FAILED]:,} not classified, {self.unanswered:,} without an answer:"
        for text, reason in sorted(self._reasons.items(), key=lambda item: -item[1].count):
            yield f"{reason.count:9,}  {shown(text, quote=False)}"
            more = ", ..." if reason.count > len(reason.examples) else ""
            yield f"{'':11}{', '.join(map(shown, reason.examples))}{more}"


def several(count: int) -> str:
    """Return the sentence about files that hold more images than the one that was classified."""
    return f"{count:,} of the files hold several images: only the first one of each was classified"


class _Reason:
    """Count the images that failed for one reason, and keep the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[str] = []

    def add(self, source: str) -> None:
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(source)
