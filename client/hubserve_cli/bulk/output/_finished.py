"""Which images have their record: a set of names that stays small when there are millions."""

from __future__ import annotations

import hashlib
from array import array


class Finished:
    """A multiset of names: `finished.add(name)` for each, then `finished.take(name)`.

    A name that was given twice has two records, and is left out twice. It holds some 40 bytes for each: 128 bits of the
    name's BLAKE2b, by which any two of a billion names are taken for the same with a probability below 1 in 10^20.
    """

    def __init__(self) -> None:
        self._digests = array("Q")
        self._sorted = False

    def __len__(self) -> int:
        return len(self._digests) // 2

    def add(self, name: str) -> None:
        """Add a name, before the first `take`."""
        self._digests.frombytes(_digest(name))

    def take(self, name: str) -> bool:
        """Tell whether the name is there; it is there once less from then on."""
        if not self._digests:
            return False
        # Only who resumes needs numpy.
        import numpy as np

        if not self._sorted:
            high, low = np.frombuffer(self._digests, np.uint64).reshape(-1, 2).T
            order = np.lexsort((low, high))
            self._high, self._low = high[order], low[order]
            self._taken = np.zeros(len(order), np.bool_)
            self._sorted = True
        high, low = np.frombuffer(_digest(name), np.uint64)
        at = int(np.searchsorted(self._high, high))
        while at < len(self._high) and self._high[at] == high:
            if self._low[at] == low and not self._taken[at]:
                self._taken[at] = True
                return True
            at += 1
        return False


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()
