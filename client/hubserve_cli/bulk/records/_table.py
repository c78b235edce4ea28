"""A table for the eye."""

from __future__ import annotations

import click

from hubserve import Classification

_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\", "'": r"\'"}


class Table:
    """Score, label and path, which comes last because nobody knows how long it is.

    Args:
        colour: Whether what failed is red.
    """

    header = b""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def record(self, result: Classification) -> bytes:
        """Return the row."""
        label = shown(result.label or "") if result.ok else "not classified"
        label = f"{label:28}"
        if self._colour and not result.ok:
            label = click.style(label, fg="red")
        score = f"{result.score:.3f}" if result.score is not None else "    -"
        error = "" if result.error is None else ": " + result.error.removeprefix(f"{result.source}: ")
        return f"{score}  {label}  {shown(result.source)}{shown(error, quote=False)}\n".encode()


def shown(text: str, *, quote: bool = True) -> str:
    r"""Return a text on one line, that no terminal takes for a command.

    What cannot be printed makes it `$'two\nlines'`, which bash reads as the same name again.
    """
    if text.isprintable():
        return text
    escaped = "".join(
        character if character.isprintable() and character not in "\\'" else _escape(character) for character in text
    )
    return f"$'{escaped}'" if quote else escaped


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    # A lone surrogate stands for a byte that is not UTF-8.
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
