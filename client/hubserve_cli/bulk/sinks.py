"""Where a run's results go: any number of sinks, each of which is given every result."""

from __future__ import annotations

from typing import Protocol

from hubserve import Classification


class Sink(Protocol):
    """Takes a run's results in the order of the images: `sink.add(result)` for each, then `sink.close()`.

    A sink is closed however the run ends, so that what it was given is kept. It runs on the thread that moves the
    requests: what takes long in `add` holds the run up.
    """

    def add(self, result: Classification, image: bytes | None = None) -> None:
        """Take one result.

        Args:
            result: Of an image that was classified, or of one that was not (`result.ok`).
            image: The image's bytes, where they came out of an archive or from a URL, and a sink of this run wants
                them; None where `result.source` is a path that can be read.
        """

    def close(self) -> None:
        """Finish what it has been given; while an exception is on its way, when the run ends before its time."""
