"""Packages that only some options need."""

from __future__ import annotations

import click


class MissingExtraError(click.ClickException):
    """A package is not installed: wrong usage, which no other try mends. The message has the command that installs it.

    Args:
        what: What needs it: `Parquet needs pyarrow`.
        extra: The extra that brings it.
    """

    exit_code = 2

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what}: pip install 'hubserve[{extra}]'")
