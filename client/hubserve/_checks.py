"""Check numbers and names that callers give: each must have the right type and be within its bounds."""

from __future__ import annotations

import math
from numbers import Integral, Real

from ._errors import UsageError

# About 31 years. gRPC fails calls with a deadline in about 290 years, and Python's locks have a similar limit.
LONGEST_SECONDS = 1e9
# TF Serving's version numbers have 64 bits.
LARGEST_VERSION = 2**63 - 1


def check_seconds(name: str, value: object, *, zero: bool = False) -> None:
    """Refuse a number of seconds that is too long, or is not a valid number.

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
    """Refuse a value that is not a finite number above 0.

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


def check_whole(name: str, value: object, *, least: int = 1, most: int | None = None) -> None:
    """Refuse a value that is not a whole number within the bounds.

    Args:
        name: The argument's name, for the message.
        value: What the caller gave.
        least: The smallest value that is allowed.
        most: The largest value that is allowed; None: no limit.

    Raises:
        UsageError: `value` is not an int, is less than `least`, or is more than `most`.
    """
    if isinstance(value, bool) or not isinstance(value, int | Integral):
        raise UsageError(f"{name} must be a whole number of at least {least}, not {value!r}")
    if value < least:
        raise UsageError(f"{name} must be at least {least}, not {value}")
    if most is not None and int(value) > most:
        raise UsageError(f"{name} must be at most {most}, not {value}")


def check_name(name: str, value: object) -> None:
    """Refuse a name that a request cannot hold.

    Args:
        name: The argument's name, for the message.
        value: What the caller gave.

    Raises:
        UsageError: `value` is not a str, is empty, or holds half of a surrogate pair, which UTF-8 cannot encode.
    """
    if not isinstance(value, str) or not value:
        raise UsageError(f"{name} must be a name, not {value!r}")
    check_text(name, value)


def check_text(name: str, value: str) -> None:
    """Refuse text that cannot be encoded as UTF-8.

    Args:
        name: Names the place of the text in the message.
        value: The text.

    Raises:
        UsageError: `value` holds half of a surrogate pair.
    """
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{name} holds {value[error.start]!a}, half of a surrogate pair, which UTF-8 cannot encode: "
            "give text without it, or bytes where bytes are meant"
        ) from error
