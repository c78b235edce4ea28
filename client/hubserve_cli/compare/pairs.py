"""The two answers for one image: whether they agree, and the distance of their scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hubserve import Classification, ClassScore


@dataclass(frozen=True, slots=True)
class Pair:
    """Both results of one image: `Pair(a, b).flip(tie=0.01)`.

    Attributes:
        a: The result of the side that sets the measure.
        b: The result of the side that is judged.
    """

    a: Classification
    b: Classification

    @property
    def both(self) -> bool:
        """Tell whether both sides classified the image."""
        return self.a.ok and self.b.ok and bool(self.a.classes) and bool(self.b.classes)

    @property
    def lost(self) -> bool:
        """Tell whether only A classified the image."""
        return self.a.ok and not self.b.ok

    @property
    def gained(self) -> bool:
        """Tell whether only B classified the image."""
        return self.b.ok and not self.a.ok

    @property
    def same(self) -> bool:
        """Tell whether both sides have the same best class."""
        return key(self.a.classes[0]) == key(self.b.classes[0])

    def flip(self, tie: float) -> bool:
        """Tell whether B has another best class, whose score in A is not nearly the same.

        Args:
            tie: The largest difference of two scores that count as equal.
        """
        if not self.both or self.same:
            return False
        best, other = self.a.classes[0], score_of(self.a, self.b.classes[0])
        return other is None or not best.score - other <= tie

    def shift(self) -> float:
        """Return the absolute difference of the scores of A's best class.

        If B's answer does not contain the class, its score there is between 0 and B's last one; the nearest value to
        A's score is taken.
        """
        best = self.a.classes[0]
        there = score_of(self.b, best)
        if there is None:
            last = self.b.classes[-1].score
            there = min(last, best.score) if best.score > 0 else last
        difference = abs(best.score - there)
        # NaN and infinity are not near any score.
        return difference if math.isfinite(difference) else 0.0 if _both_same(best.score, there) else math.inf


def key(found: ClassScore) -> str | int:
    """Return the key of a class, which is the same on both sides: its label or, without one, its number."""
    return found.label or found.class_id


def score_of(result: Classification, wanted: ClassScore) -> float | None:
    """Return a result's score of a class; None: the class is not among its classes."""
    name = key(wanted)
    return next((found.score for found in result.classes if key(found) == name), None)


def _both_same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))
