"""Define what a fake server does with its next requests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

import grpc


class Fault(Exception):  # noqa: N818 - it is not an error of hubserve
    """A refusal: `Fault("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted")`; a script may also raise it.

    Args:
        code: gRPC's status code, or its name.
        details: The server's message.
    """

    def __init__(self, code: grpc.StatusCode | str, details: str = "") -> None:
        self.code = grpc.StatusCode[code] if isinstance(code, str) else code
        self.details = details
        super().__init__(f"{self.code.name}: {details}")


class _Drop(Enum):
    DROP = "drop"


# The connection breaks without an answer, and all others with it; the server stays.
DROP: Final = _Drop.DROP

# A refusal, seconds to wait before the answer, a broken connection, bytes instead of an answer; None: a normal answer.
Step: TypeAlias = "Fault | float | _Drop | bytes | None"


@dataclass(frozen=True, slots=True)
class Request:
    """A Predict request as the server received it: `[request.images for request in server.requests]`.

    Attributes:
        model: The model's name.
        version: The requested version, or None.
        version_label: The requested label, or "".
        signature: The signature's name.
        images: The strings of the input `image_bytes`; empty if there is no such input.
        metadata: The call's metadata, such as `authorization`.
    """

    model: str
    version: int | None
    version_label: str
    signature: str
    images: tuple[bytes, ...]
    metadata: Mapping[str, str | bytes] = field(repr=False)


class Script:
    """Steps for the next requests, one each; several threads may take them."""

    def __init__(self) -> None:
        self._steps: deque[Step] = deque()
        self._lock = threading.Lock()

    def add(self, steps: Iterator[Step]) -> None:
        """Add steps at the end."""
        with self._lock:
            self._steps.extend(steps)

    def next(self) -> Step:
        """Take the next step; return None if there is none."""
        with self._lock:
            return self._steps.popleft() if self._steps else None
