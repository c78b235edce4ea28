"""What a run that goes on needs to know of an earlier record."""

from __future__ import annotations

from typing import NamedTuple


class Earlier(NamedTuple):
    """An image that has its record."""

    source: str
    ok: bool
    model_version: int | None
