"""Convert files or make them smaller before they are sent, if the caller wants that."""

from __future__ import annotations

from functools import partial
from typing import BinaryIO

from .convert import converted
from .downscale import shrunk
from .encode import Encode, encode
from .kinds import Kind
from .multi_picture import FIRST_OF_SEVERAL


def encoder(size: int, *, convert: bool) -> Encode:
    """Describe how images are read: `encoder(448, convert=False)`.

    Args:
        size: The pixels that each side keeps at the least; 0: all.
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
    return made.data, FIRST_OF_SEVERAL if made.pictures else None
