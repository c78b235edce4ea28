"""Describe a call as steps without I/O: a generator that threads and asyncio run in the same way.

It yields what to do next. The driver does it, then sends the answer or throws the failure:

    step = next(steps)        Ask(...)         send the request, then steps.send(answer) or steps.throw(error)
                              Pause(seconds)   wait, then next(steps)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import NamedTuple, TypeAlias, TypeVar

from .._errors import CallError
from .retry import Contact

_log = logging.getLogger("hubserve")
_T = TypeVar("_T")


class Ask(NamedTuple):
    """Send a request, and return its answer.

    Attributes:
        path: The RPC's path.
        request: The message.
        timeout: Seconds that the server has for each attempt.
        deadline: The caller's deadline, on the clock of the steps; None: none.
        resends: How often the same request was sent before.
    """

    path: str
    request: bytes
    timeout: float | None
    deadline: float | None
    resends: int = 0


class Pause(NamedTuple):
    """Wait for some seconds, or until the client is closed: then the next request raises the error."""

    seconds: float


Steps: TypeAlias = Generator[Ask | Pause, bytes, _T]


def asked(
    contact: Contact, path: str, request: bytes, timeout: float | None, clock: Callable[[], float]
) -> Steps[bytes]:
    """Send a request, and retry it by the retry policy, within the timeout.

    Args:
        contact: What the client knows about its servers.
        path: The RPC's path.
        request: The message.
        timeout: Seconds for all attempts together; None: no limit.
        clock: Returns the time in seconds.

    Raises:
        CallError: The server did not answer.
    """
    deadline = None if timeout is None else clock() + timeout
    first_failure = None
    resends = repeats = 0
    while True:
        sent = clock()
        try:
            answer = yield Ask(path, request, timeout, deadline, resends)
        except CallError as error:
            now = clock()
            first_failure = now if first_failure is None else first_failure
            at = contact.retry_at(error, sent=sent, now=now, first_failure=first_failure, deadline=deadline)
            if at is None:
                at = contact.again_at(error, repeats, now, deadline)
                repeats += 1
            if at is None:
                raise
            _log.info("retrying in %.2f s: %s", at - now, error)
            seconds = at - now
        else:
            contact.answered(clock())
            return answer
        yield Pause(seconds)
        resends += 1
