"""The rules by which B is judged, and the results of their checks."""

from __future__ import annotations

from dataclasses import dataclass

from .binomial import at_least, images_to_show, most_share

# Answers that take longer by less than this are not slower for a user.
_LEAST_SLOWER_MS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The limits for the differences of B.

    Attributes:
        max_flips: The largest share of images with another best class.
        tie: The largest difference of two scores of A that count as equal: such a change is not a flip.
        max_shift: The largest change of the score of A's best class; if scores are not probabilities, as a share of
            A's mean best score.
        max_shifted: The largest share of images whose score changes more.
        max_lost: The largest number of images that A classified and that fail in B.
        max_slowdown: The largest ratio of the times of B's and A's requests.
        other_ids: Whether the same label may have another class id.
        confidence: The confidence with which a share must be shown to be too large, from 0.5 to 1.
        strict: Whether a share must also be shown to be small enough.
    """

    max_flips: float = 0.01
    tie: float = 0.01
    max_shift: float = 0.05
    max_shifted: float = 0.05
    max_lost: int = 0
    max_slowdown: float = 1.5
    other_ids: bool = False
    confidence: float = 0.95
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one rule.

    Attributes:
        name: The property that was checked.
        passed: Whether B follows the rule.
        says: The finding, in a sentence.
    """

    name: str
    passed: bool
    says: str


def share_check(name: str, what: str, count: int, of: int, allowed: float, rules: Rules) -> Check:
    """Judge a share: it is too large if as many cases have a probability below 1 - confidence at the allowed share."""
    if not of:
        return Check(name, True, "there are no images that both sides classified")
    said = f"{count:,} of {of:,} images {what} ({count / of:.2%}); {allowed:.2%} may"
    if count and at_least(count, of, allowed) < 1 - rules.confidence:
        return Check(name, False, said)
    most = most_share(count, of, rules.confidence)
    said += f"; up to {most:.2%} of all images like these is possible"
    if most <= allowed:
        return Check(name, True, said)
    if rules.strict:
        needed = images_to_show(allowed, rules.confidence)
        more = f": it takes {needed:,} images even without a case" if of < needed else ""
        return Check(name, False, f"{said}, and --strict wants it to be at most {allowed:.2%}{more}")
    return Check(name, True, said)


def class_check(flips: dict[str, tuple[int, int]], rules: Rules) -> Check:
    """Look for a single class that flips more than allowed; the share of all images may hide it.

    Bonferroni's correction: each of the classes is judged with a confidence of 1 - (1 - confidence) / classes.

    Args:
        flips: For each best class of A, the number of images that flipped, and of all its images.
        rules: The rules of the comparison.
    """
    level = (1 - rules.confidence) / max(len(flips), 1)
    broken = [
        (label, count, of)
        for label, (count, of) in flips.items()
        if count > 1 and at_least(count, of, rules.max_flips) < level
    ]
    if not broken:
        return Check("each class", True, f"no class of {len(flips):,} flips more than the others")
    broken.sort(key=lambda each: (-each[1], each[0]))
    named = ", ".join(f"{label} ({count:,} of {of:,})" for label, count, of in broken[:5])
    more = f" and {len(broken) - 5:,} more" if len(broken) > 5 else ""
    return Check("each class", False, f"classes with too many flips: {named}{more}")


def latency_check(pairs: list[tuple[float, float]], rules: Rules) -> Check:
    """Judge the latencies of requests with the same images, by the sign test on their ratios.

    If the median ratio is the allowed one, each ratio is above it with probability 1/2.

    Args:
        pairs: The seconds of A's request and of B's.
        rules: The rules of the comparison.
    """
    if at_least(len(pairs), len(pairs), 0.5) >= 1 - rules.confidence:
        few = (
            f"{len(pairs) + 1:,} requests with the same images are too few to judge: more images or a smaller batch do"
        )
        return Check("latency", True, few)
    slower = sum(b > a * rules.max_slowdown and 1000 * (b - a) > _LEAST_SLOWER_MS for a, b in pairs)
    middle = sorted(b / a for a, b in pairs)[len(pairs) // 2]
    a, b = (1000 * sorted(each)[len(pairs) // 2] for each in zip(*pairs, strict=True))
    said = f"median request {a:,.1f} ms in A and {b:,.1f} ms in B, {middle:.2f} times; {rules.max_slowdown:g} may be"
    return Check("latency", at_least(slower, len(pairs), 0.5) >= 1 - rules.confidence, said)
