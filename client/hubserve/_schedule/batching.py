"""Cuts images into batches by count and by bytes: pure, one image at a time, and never an empty batch."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from .._errors import CallError, ServerBusy
from .._images.encode import EncodedImage

# protobuf holds 2 GiB in a message; what is around the values takes some of it.
MESSAGE_BYTES = 2**31 - 2**20
_SERVERS_LIMIT = r"maximum input batch size (\d+)"


@dataclass(slots=True)
class Limits:
    """What one request may hold; lowered when a server takes less: `Limits(max_size=32, max_bytes=16 * 2**20)`."""

    max_size: int
    max_bytes: int

    def both(self) -> tuple[int, int]:
        """Return images and bytes."""
        return self.max_size, self.max_bytes

    def lower(self, error: CallError, size: int, total: int) -> None:
        """Learn from a server's refusal of a request what it takes, as far as that tells.

        Args:
            error: The refusal.
            size: How many images, or rows, the request had.
            total: How many bytes.
        """
        named = re.search(_SERVERS_LIMIT, error.details)
        if isinstance(error, ServerBusy) or named:
            most = int(named[1]) if named else 0
            # A refusal that names a larger limit than it kept must not end in cutting the same piece for ever.
            self.max_size = min(self.max_size, most if 0 < most < size else max(size // 2, 1))
        else:
            self.max_bytes = min(self.max_bytes, max(total // 2, 1))


def whole_message() -> Limits:
    """Tell what one message can hold at all, until a server takes less."""
    return Limits(max_size=sys.maxsize, max_bytes=MESSAGE_BYTES)


class Cutter:
    """Collects images until the next would be too much: `batch = cutter.add(image)`, at the end `cutter.rest()`.

    An image larger than `max_bytes` goes alone.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._batch: list[EncodedImage] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._batch)

    def add(self, image: EncodedImage) -> list[EncodedImage]:
        """Take an image; give the batch that is full because of it, or none (an empty list)."""
        full: list[EncodedImage] = []
        if self._batch and (self._is_full() or self._bytes + len(image.data) > self._limits.max_bytes):
            full = self.rest()
        self._batch.append(image)
        self._bytes += len(image.data)
        # Not held back until the next image comes, which may take a while.
        return full or (self.rest() if self._is_full() else [])

    def rest(self) -> list[EncodedImage]:
        """Give what there is."""
        batch, self._batch, self._bytes = self._batch, [], 0
        return batch

    def _is_full(self) -> bool:
        return len(self._batch) >= self._limits.max_size or self._bytes >= self._limits.max_bytes


def cut(images: Iterable[EncodedImage], limits: Limits) -> list[list[EncodedImage]]:
    """Cut images that are all there."""
    cutter = Cutter(limits)
    batches = [batch for image in images if (batch := cutter.add(image))]
    return [*batches, cutter.rest()] if len(cutter) else batches
