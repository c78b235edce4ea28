"""Get reports of how far an export is."""

from __future__ import annotations


class Progress:
    """Get reports of each step, and of the parts of a step; this class shows nothing.

    progress.step("saving")
    progress.part(3, 18)
    """

    def step(self, what: str) -> None:
        """Start a new step, which ends the one before."""

    def part(self, done: int, total: int) -> None:
        """Record that `done` of the `total` parts of this step are done."""

    def received(self, done: int, total: int | None) -> None:
        """Record that `done` bytes of `total` are downloaded; `total` is None if the server does not tell it."""

    def warning(self, text: str) -> None:
        """Show a warning."""
