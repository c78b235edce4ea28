"""Convert or downscale files before they are sent, if the settings say so."""

from __future__ import annotations

from functools import partial
from typing import BinaryIO

from .convert import converted
from .downscale import shrunk
from .encode import Encode, encode
from .kinds import Kind
from .multi_picture import FIRST_OF_SEVERAL


def encoder(size: int, *, convert: bool) -> Encode:
    """Return the function that reads images: `encoder(448, convert=False)`.

    Args:
        size: The fewest pixels to keep on each side; 0: all.
        convert: Convert files that the server does not read.
    """
    if not size and not convert:
        return encode
    return partial(
        encode,
        smaller=partial(shrunk, size=size) if size else None,
        convert=partial(_converted, size=size) if convert else None,
    )


def _converted(file: BinaryIO, kind: Kind, size: int) -> tuple[bytes, str | None]:
    made = converted(file, kind, size)
    return made.data, FIRST_OF_SEVERAL if made.several else None
