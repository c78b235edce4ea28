"""Cut images into batches by count and by bytes; no batch is empty."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from .._errors import CallError, ServerBusy
from .._images.encode import EncodedImage

# protobuf allows 2 GiB in a message, including field headers.
MESSAGE_BYTES = 2**31 - 2**20
_SERVERS_LIMIT = r"maximum input batch size (\d+)"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what one request may hold: `Limits(max_size=32, max_bytes=16 * 2**20)`."""

    max_size: int
    max_bytes: int

    def lowered(self, error: CallError, size: int, total: int) -> Limits:
        """Return lower limits after a server has refused a request as too large.

        Args:
            error: The refusal.
            size: How many images, or rows, the request held.
            total: How many bytes the request held.
        """
        named = re.search(_SERVERS_LIMIT, error.details)
        if isinstance(error, ServerBusy) or named:
            most = int(named[1]) if named else 0
            # A server may name a limit that it does not keep. The size must still go down, or cutting would never end.
            return replace(self, max_size=min(self.max_size, most if 0 < most < size else max(size // 2, 1)))
        return replace(self, max_bytes=min(self.max_bytes, max(total // 2, 1)))


# The most that one message can hold.
WHOLE_MESSAGE = Limits(max_size=sys.maxsize, max_bytes=MESSAGE_BYTES)


class Capacity:
    """The limits of what a client's servers take in one request: `capacity.limits`.

    Args:
        limits: What the caller allows.
        lock: Held while the limits change; needed if threads share the object. None: no lock.

    Attributes:
        limits: Never changed, only replaced by lower ones.
    """

    def __init__(self, limits: Limits, lock: AbstractContextManager[object] | None = None) -> None:
        self.limits = limits
        self._lock = nullcontext() if lock is None else lock

    def lower(self, limits: Limits) -> None:
        """Apply these limits too, from now on."""
        with self._lock:
            known = self.limits
            self.limits = Limits(min(known.max_size, limits.max_size), min(known.max_bytes, limits.max_bytes))


class Cutter:
    """Collect images until a batch is full: `batch = cutter.add(image)`, and at the end `cutter.rest()`.

    An image larger than the limit on bytes is alone in its batch.
    """

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._batch: list[EncodedImage] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._batch)

    def add(self, image: EncodedImage) -> list[EncodedImage]:
        """Add an image; return the batch that is full now, or an empty list."""
        full: list[EncodedImage] = []
        if self._batch and (self._is_full() or self._bytes + len(image.data) > self._capacity.limits.max_bytes):
            full = self.rest()
        self._batch.append(image)
        self._bytes += len(image.data)
        # A full batch is returned now: the next image may come much later.
        return full or (self.rest() if self._is_full() else [])

    def rest(self) -> list[EncodedImage]:
        """Return the images that are left."""
        batch, self._batch, self._bytes = self._batch, [], 0
        return batch

    def _is_full(self) -> bool:
        limits = self._capacity.limits
        return len(self._batch) >= limits.max_size or self._bytes >= limits.max_bytes


def cut(images: Iterable[EncodedImage], limits: Limits) -> list[list[EncodedImage]]:
    """Cut a list of images into batches."""
    cutter = Cutter(Capacity(limits))
    batches = [batch for image in images if (batch := cutter.add(image))]
    return [*batches, cutter.rest()] if len(cutter) else batches
