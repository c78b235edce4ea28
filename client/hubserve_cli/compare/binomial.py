"""Exact statistics of shares: what a number of cases among some images says about all images of that kind.

Both functions are tails of the binomial distribution. The bound is that of C. J. Clopper and E. S. Pearson ("The use of
confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26, 1934). They hold for any number
of images, and assume only that the images are like future ones.
"""

from __future__ import annotations

import math

_NEGLIGIBLE = 1e-17
_HALVINGS = 60


def at_least(count: int, of: int, share: float) -> float:
    """Return the probability of `count` or more cases among `of`, if each is one with probability `share`."""
    if count <= 0:
        return 1.0
    if count > of or share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    if count <= of * share:
        return 1.0 - _tail(of - count + 1, of, 1 - share)
    return _tail(count, of, share)


def most_share(count: int, of: int, confidence: float) -> float:
    """Return the largest share that `count` cases among `of` images leave possible, with this confidence.

    It is the upper limit of Clopper and Pearson, one-sided: 0 cases among 299 images give 1% with a confidence of 95%.
    """
    if count >= of:
        return 1.0
    low, high = count / of, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # At most `count` cases are as likely as at least `of - count` other ones.
        if at_least(of - count, of, 1 - middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def images_to_show(share: float, confidence: float) -> int:
    """Return the number of images without a case that shows that the share of cases is at most this one."""
    return math.ceil(math.log(1 - confidence) / math.log1p(-share)) if 0 < share < 1 else 0


def _tail(count: int, of: int, share: float) -> float:
    """Return P(X >= count), for a count above the mean: each term is smaller than the one before."""
    term = math.exp(
        math.lgamma(of + 1)
        - math.lgamma(count + 1)
        - math.lgamma(of - count + 1)
        + count * math.log(share)
        + (of - count) * math.log1p(-share)
    )
    total = 0.0
    for number in range(count, of + 1):
        total += term
        term *= (of - number) / (number + 1) * share / (1 - share)
        if term < total * _NEGLIGIBLE:
            break
    return min(total, 1.0)
