"""Numbers as people write them."""

from __future__ import annotations


def duration(seconds: float, *, exact: bool = False) -> str:
    """Return seconds as text: `40 s`, `48 min`, `3 h 20 min`; if `exact`, `4.03 s`, `40.2 s`, `48 min 5 s`."""
    if seconds < 60:
        digits = 0 if not exact else 1 if seconds >= 10 else 2
        return f"{seconds:.{digits}f} s"
    minutes, rest = divmod(round(seconds), 60) if exact else (round(seconds / 60), 0)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if exact else f"{minutes} min"


def number(value: float | None, otherwise: str = "-", separator: str = "") -> str:
    """Return a number with up to three significant digits: `0.012`, `1.23`, `12.3`; a long whole part is kept.

    Args:
        value: The number.
        otherwise: The text for None.
        separator: The text between thousands: "," or nothing.
    """
    if value is None:
        return otherwise
    if value >= 10:
        return f"{value:{separator}.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 or not value else f"{value:.2g}"
