"""Measure how sure a model was of an image, and how many images came when."""

from __future__ import annotations

from collections.abc import Sequence

# Scores are float32, and a sum of probabilities need not be exactly 1.
_TOLERANCE = 1e-3
_FIRST_BIN_SECONDS = 0.01
_MOST_BINS = 60


def are_within_one(scores: Sequence[float]) -> bool:
    """Tell whether each score can be a probability, of whatever."""
    return all(-_TOLERANCE <= score <= 1 + _TOLERANCE for score in scores)


def are_probabilities(scores: Sequence[float]) -> bool:
    """Tell whether the scores can be some of the probabilities of classes that exclude each other."""
    return are_within_one(scores) and sum(scores) <= 1 + _TOLERANCE


def are_independent(scores: Sequence[float]) -> bool:
    """Tell whether the scores can only be those of labels that do not exclude each other: together more than 1."""
    return are_within_one(scores) and not are_probabilities(scores)


def margin(scores: Sequence[float]) -> float | None:
    """Return the best score minus the second best: how close another answer was. None when there are not two."""
    return scores[0] - scores[1] if len(scores) > 1 else None


class Timeline:
    """Count images over time, in few bins however long a run takes: `timeline.add(12.3, ok=True)`.

    Attributes:
        width: Seconds that a bin is wide. It doubles when the bins would become too many.
        bins: In each, how many images were classified and how many were not, from second 0 on.
        last: When the last image came, in seconds.
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
