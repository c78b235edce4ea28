"""Collect the warnings of an export: show them, keep them for the manifest, and make them errors with `strict`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ._errors import StrictError


class Warnings:
    """Collect the warnings of one export.

        warnings = Warnings(strict=False, tell=print)
        warnings.warn("all photographs are in one class")

    Args:
        strict: Make the first warning an error.
        tell: Called with the text of each warning; None: warnings are not shown.
    """

    def __init__(self, *, strict: bool = False, tell: Callable[[str], None] | None = None) -> None:
        self._strict = strict
        self._tell = tell
        self._texts: list[str] = []

    @property
    def texts(self) -> tuple[str, ...]:
        """The warnings so far, each once, in their order."""
        return tuple(self._texts)

    def warn(self, text: str) -> None:
        """Give a warning; a repeated text is given once.

        Raises:
            StrictError: Warnings are errors.
        """
        if self._strict:
            raise StrictError(f"{text} (a warning, which `strict` makes an error: nothing was published)")
        if text not in self._texts:
            self._texts.append(text)
            if self._tell is not None:
                self._tell(text)

    def warn_all(self, texts: Iterable[str]) -> None:
        """Give each of these warnings.

        Raises:
            StrictError: Warnings are errors, and there is one.
        """
        for text in texts:
            self.warn(text)
