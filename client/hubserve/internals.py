"""Names of the library that hubserve's own command and load generator need besides the public ones.

This module is not public API: a name here may change in any release. The bytes of messages are in `hubserve.wire`.
"""

from ._checks import LONGEST_SECONDS
from ._errors import Then, then
from ._images.choice import SPECIAL, Choice, LeftOut
from ._images.convert import converted
from ._images.encode import encode
from ._images.folder import below
from ._images.kinds import AVIF, HEAD_BYTES, HEIC, JPEG_2000, OTHER, PNM, RAW, TIFF, Kind, Reader, kind_of
from ._images.not_a_path import not_a_path, short_name
from ._outcome import Outcome, outcome
from ._schedule.batching import MESSAGE_BYTES
from ._settings import ClientSettings
from ._tables.ahead import MOST_BYTES, ReadAhead, Remote, ahead, is_url
from ._tables.arrow import check_type
from ._tables.cells import image_of
from ._transport.security import Token
from ._transport.server import Call, ModelServer

__all__ = [
    "AVIF",
    "HEAD_BYTES",
    "HEIC",
    "JPEG_2000",
    "LONGEST_SECONDS",
    "MESSAGE_BYTES",
    "MOST_BYTES",
    "OTHER",
    "PNM",
    "RAW",
    "SPECIAL",
    "TIFF",
    "Call",
    "Choice",
    "ClientSettings",
    "Kind",
    "LeftOut",
    "ModelServer",
    "Outcome",
    "ReadAhead",
    "Reader",
    "Remote",
    "Then",
    "Token",
    "ahead",
    "below",
    "check_type",
    "converted",
    "encode",
    "image_of",
    "is_url",
    "kind_of",
    "not_a_path",
    "outcome",
    "short_name",
    "then",
]
