"""Limit how many pixels are converted at once, so that memory does not grow with the number of threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """Limit the pixels in work: `with room.for_(pixels): ...` waits until there is room, or until no one else works.

    Args:
        most: Pixels.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def for_(self, pixels: int) -> Iterator[None]:
        """Reserve room for this number of pixels, and free it at the end."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + pixels <= self._most)
            self._taken += pixels
        try:
            yield
        finally:
            with self._changed:
                self._taken -= pixels
                self._changed.notify_all()
