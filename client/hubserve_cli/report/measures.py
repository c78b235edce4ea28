"""Measures of a run: how sure the model was, and how many images came at each time."""

from __future__ import annotations

from collections.abc import Sequence

# Scores are float32, and a sum of probabilities need not be exactly 1.
_TOLERANCE = 1e-3
_FIRST_BIN_SECONDS = 0.01
_MOST_BINS = 60


def are_within_one(scores: Sequence[float]) -> bool:
    """Tell whether each score is between 0 and 1."""
    return all(-_TOLERANCE <= score <= 1 + _TOLERANCE for score in scores)


def are_probabilities(scores: Sequence[float]) -> bool:
    """Tell whether the scores can be probabilities of classes that exclude each other."""
    return are_within_one(scores) and sum(scores) <= 1 + _TOLERANCE


def are_independent(scores: Sequence[float]) -> bool:
    """Tell whether the scores can only be those of independent labels: their sum is more than 1."""
    return are_within_one(scores) and not are_probabilities(scores)


def margin(scores: Sequence[float]) -> float | None:
    """Return the best score minus the second best: how close another answer was. None: there are not two scores."""
    return scores[0] - scores[1] if len(scores) > 1 else None


class Timeline:
    """Count images over time, with few bins for a run of any length: `timeline.add(12.3, ok=True)`.

    Attributes:
        width: Seconds of a bin. It doubles when there would be too many bins.
        bins: The number of images that were classified, and that were not, in each bin from second 0.
        last: The time of the last image, in seconds.
    """

    def __init__(self) -> None:
        self.width = _FIRST_BIN_SECONDS
        self.bins: list[tuple[int, int]] = []
        self.last = 0.0

    def add(self, seconds: float, *, ok: bool) -> None:
        """Count one image."""
        self.last = max(self.last, seconds)
        while seconds >= self.width * _MOST_BINS:
            if len(self.bins) % 2:
                self.bins.append((0, 0))
            pairs = zip(self.bins[::2], self.bins[1::2], strict=True)
            self.bins = [(one[0] + other[0], one[1] + other[1]) for one, other in pairs]
            self.width *= 2
        place = int(seconds / self.width)
        self.bins += [(0, 0)] * (place + 1 - len(self.bins))
        classified, failed = self.bins[place]
        self.bins[place] = (classified + ok, failed + (not ok))
