"""Count pairs of answers, and judge them at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..common.histogram import Histogram
from ..report.measures import are_within_one
from .pairs import Pair, key
from .rules import Check, Rules, class_check, latency_check, share_check

_SHOWN = 3
# The most labels to remember; models know tens of thousands.
_MOST_NAMES = 100_000
_MOST_REQUESTS = 100_000
_NANOSECONDS = 1_000_000_000


class Tally:
    """Count pairs in bounded memory: `tally.add(pair)`, then `tally.checks()`.

    Args:
        rules: The rules of the comparison.

    Attributes:
        images: The number of pairs.
        both: The number of images that both sides classified.
        lost: The number of images that only A classified.
        gained: The number of images that only B classified.
        flips: The number of images with another best class.
        ties: The number of images with another best class whose score in A is nearly the same.
        latencies: The latencies of A's requests, and of B's.
        requests: The seconds of A's and B's requests with the same images.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.images = self.both = self.lost = self.gained = self.flips = self.ties = 0
        self.latencies = Histogram(), Histogram()
        self.requests: list[tuple[float, float]] = []
        self.versions: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        self._classes: dict[str, tuple[int, int]] = {}
        self._probabilities = True
        self._score_sum = 0.0
        # In millionths, so that equal shifts are counted together.
        self._shifts: Counter[int] = Counter()
        # The class ids of each label in both answers for an image; None: a label with several ids shows nothing.
        self._ids: dict[str, tuple[int, int] | None] = {}
        self._labels: tuple[set[str], set[str]] = (set(), set())

    def add(self, pair: Pair) -> bool:
        """Count one pair, and tell whether it must be inspected: a flip, or a failure of one side."""
        self.images += 1
        for result, versions in zip((pair.a, pair.b), self.versions, strict=True):
            if result.model_version is not None:
                versions[result.model_version] += 1
        self.lost += pair.lost
        self.gained += pair.gained
        if not pair.both:
            return pair.lost or pair.gained
        self.both += 1
        flipped = pair.flip(self._rules.tie)
        self.flips += flipped
        self.ties += not flipped and not pair.same
        label = str(key(pair.a.classes[0]))
        count, of = self._classes.get(label, (0, 0))
        if of or len(self._classes) < _MOST_NAMES:
            self._classes[label] = count + flipped, of + 1
        self._probabilities &= all(
            are_within_one([found.score for found in result.classes]) for result in (pair.a, pair.b)
        )
        self._score_sum += abs(pair.a.classes[0].score)
        shift = pair.shift()
        self._shifts[min(int(shift * 1e6), 10**12) if shift < 1e6 else 10**12] += 1
        self._note_ids(pair)
        return flipped

    def add_request(self, a: float, b: float) -> None:
        """Count the seconds of two requests with the same images."""
        for seconds, latencies in zip((a, b), self.latencies, strict=True):
            latencies.record(round(seconds * _NANOSECONDS))
        # The first answer of a server is slow.
        if self.latencies[0].count > 1 and len(self.requests) < _MOST_REQUESTS:
            self.requests.append((a, b))

    def shift_limit(self) -> float:
        """Return the largest allowed change of a score, in scores."""
        if self._probabilities or not self.both:
            return self._rules.max_shift
        return self._rules.max_shift * self._score_sum / self.both

    def shifted(self) -> int:
        """Return the number of scores that changed more."""
        limit = self.shift_limit() * 1e6
        return sum(count for shift, count in self._shifts.items() if shift > limit)

    def shifts(self) -> Iterator[tuple[float, int]]:
        """Return each shift with its number of images, in rising order."""
        return ((shift / 1e6, count) for shift, count in sorted(self._shifts.items()))

    def checks(self) -> list[Check]:
        """Judge B by each rule."""
        rules = self._rules
        found = [
            Check(
                "failures",
                self.lost <= rules.max_lost,
                f"{self.lost:,} of {self.images:,} images are classified by A and fail in B; {rules.max_lost:,} may",
            ),
            self._id_check(),
            share_check("best class", "have another best class", self.flips, self.both, rules.max_flips, rules),
            class_check(self._classes, rules),
            share_check(
                "scores",
                f"have a score that moved by more than {self.shift_limit():.3g}",
                self.shifted(),
                self.both,
                rules.max_shifted,
                rules,
            ),
            latency_check(self.requests, rules),
        ]
        if self.ties:
            says = f"{self.ties:,} images have another best class that A held for as good (within {rules.tie:g})"
            found.insert(3, Check("ties", True, says))
        return found

    def _note_ids(self, pair: Pair) -> None:
        a, b = ({found.label: found.class_id for found in result.classes if found.label} for result in (pair.a, pair.b))
        for labels, ids in zip(self._labels, (a, b), strict=True):
            if len(labels) < _MOST_NAMES:
                labels.update(ids)
        for label in a.keys() & b.keys():
            if label in self._ids or len(self._ids) < _MOST_NAMES:
                both = a[label], b[label]
                self._ids[label] = both if self._ids.get(label, both) == both else None

    def _id_check(self) -> Check:
        known = {label: ids for label, ids in self._ids.items() if ids is not None}
        other = {label: ids for label, ids in known.items() if ids[0] != ids[1]}
        if other:
            shown = sorted(other.items())[:_SHOWN]
            named = ", ".join(f"{label} is {a} in A and {b} in B" for label, (a, b) in shown)
            says = f"{len(other):,} of {len(known):,} labels have another class id: {named}"
            return Check("class ids", self._rules.other_ids, says)
        if all(self._labels) and not (self._labels[0] & self._labels[1]):
            return Check("class ids", False, "A and B have no label in common: their label files are of other classes")
        return Check("class ids", True, f"{len(known):,} labels have the same class id on both sides")
