"""Records on standard output, for a user or for the next program."""

from __future__ import annotations

import sys
import time

from hubserve import Classification

from ..records import Format

_HELD_SECONDS = 0.1


class StandardOutput:
    """Write records as they come; when many come, they are held for a tenth of a second at most."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._out = sys.stdout.buffer
        self._flushed = 0.0
        self._broken = False
        self._each = sys.stdout.isatty()
        if form.header:
            self._out.write(form.header)

    def add(self, result: Classification, image: bytes | None = None, key: str | None = None) -> None:  # noqa: ARG002
        """Write the record."""
        self._out.write(self._form.record(result, key))
        now = time.monotonic()
        if self._each or now - self._flushed >= _HELD_SECONDS:
            self._flushed = now
            self._flush()

    def close(self) -> None:
        """Write the records that are held, unless the reader has closed the pipe."""
        if not self._broken:
            self._flush()

    def _flush(self) -> None:
        try:
            self._out.flush()
        except OSError:
            self._broken = True
            raise
