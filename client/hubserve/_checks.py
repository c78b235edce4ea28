"""Checks of numbers that callers give: each is finite, of the right kind and within its bounds, or a `UsageError`."""

from __future__ import annotations

import math
from numbers import Integral, Real

from ._errors import UsageError

# About 31 years. gRPC fails every call whose deadline is some 290 years away, and Python's locks wait no longer either.
LONGEST_SECONDS = 1e9


def check_seconds(name: str, value: object, *, zero: bool = False) -> None:
    """Refuse a number of seconds that cannot be waited for.

    Args:
        name: The argument's name, for the message.
        value: What the caller gave.
        zero: Whether 0 is allowed.

    Raises:
        UsageError: `value` is not a finite number, is negative, is 0 where that is not allowed, or is above 1e9.
    """
    check_number(name, value, zero=zero)
    if isinstance(value, int | float | Real) and float(value) > LONGEST_SECONDS:
        raise UsageError(f"{name} must be at most {LONGEST_SECONDS:.0f} seconds (some 31 years), not {value}")


def check_number(name: str, value: object, *, zero: bool = False) -> None:
    """Refuse what is not a finite number above 0.

    Args:
        name: The argument's name, for the message.
        value: What the caller gave.
        zero: Whether 0 is allowed.

    Raises:
        UsageError: `value` is not a number, is NaN or infinite, is negative, or is 0 where that is not allowed.
    """
    bound = "at least 0" if zero else "more than 0"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UsageError(f"{name} must be a number of {bound}, not {value!r}")
    if not math.isfinite(value):
        raise UsageError(f"{name} must be a finite number, not {value}")
    if value < 0 or (value == 0 and not zero):
        raise UsageError(f"{name} must be {bound}, not {value}")


def check_whole(name: str, value: object, *, least: int = 1) -> None:
    """Refuse what is not a whole number of at least `least`.

    Args:
        name: The argument's name, for the message.
        value: What the caller gave.
        least: The smallest value that is allowed.

    Raises:
        UsageError: `value` is not an int, or is less than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise UsageError(f"{name} must be a whole number of at least {least}, not {value!r}")
    if value < least:
        raise UsageError(f"{name} must be at least {least}, not {value}")
