"""Kinds of numbers for options: click's own `FloatRange` takes NaN, and infinity where there is no upper end."""

from __future__ import annotations

import math
from typing import Any

import click

from hubserve._checks import LONGEST_SECONDS


class FiniteFloat(click.FloatRange):
    """A finite number within bounds: `type=FiniteFloat(min=0, min_open=True)`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the number; NaN and infinity are usage errors."""
        number = click.FLOAT.convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return super().convert(value, param, ctx)


class Seconds(FiniteFloat):
    """A number of seconds, up to some 31 years: `type=Seconds()`.

    Args:
        zero: Whether 0 is allowed.
    """

    def __init__(self, *, zero: bool = False) -> None:
        super().__init__(min=0, min_open=not zero, max=LONGEST_SECONDS)
