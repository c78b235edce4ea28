"""Decide when a failed request is retried: plain arithmetic on times that are passed in.

Delays are exponential with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), so
that callers that failed together do not come back together. Retries are paid from a token bucket that all calls of a
client share, filled by a share of the answers and by time (as Finagle's `RetryBudget`; gRPC's retry throttling,
proposal A6, has the first half), so that retries never become the load that keeps a server down. gRPC's own retries
cannot serve here: they stop at requests of 256 KiB, which one photograph exceeds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from .._checks import check_seconds, check_whole
from .._errors import CallError, DeadlineExceeded, ServerUnavailable, Then, then
from .gate import Gate

# A server that has never answered is more likely misspelt than restarting.
_FIRST_CONTACT_SECONDS = 2.0
# How often a request is repeated that may have failed because of another one in the server's batch. A stranger who
# spoils three batches of ten fails one request nine times in a row once in 50,000.
REPEATS = {Then.NEIGHBOUR: 8, Then.ALONE: 1}
_TOKENS_PER_ANSWER = 0.1
_TOKENS_PER_SECOND = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Say how patiently failed requests are retried: `Client(target, model="m", retry=Retry(max_seconds=300))`.

    Attributes:
        max_seconds: How long after its first failure a request is tried again; a server that is away for longer makes
            its images' results errors. While a server has not answered this client even once, 2 seconds at the most.
            A request that the server has no room for waits longer: as long as the server answers others of the client.
        first_delay: Seconds before the first retry, at the most; the most doubles with each failure in a row, and the
            delay is drawn at random from 0 up to it.
        max_delay: Where the doubling ends, in seconds.
        budget: How many retries may be made at once beyond a tenth of the requests and one in a second.
        hedge_after: Seconds after which a second request is sent for images whose answer is still out; the first
            answer counts, and the second request is paid from the budget. None: never.

    Raises:
        UsageError: A value is negative, is not a finite number, or is more than 1e9 seconds.
    """

    max_seconds: float = 60.0
    first_delay: float = 0.1
    max_delay: float = 5.0
    budget: int = 100
    hedge_after: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_seconds", "first_delay", "max_delay"):
            check_seconds(f"Retry's {name}", getattr(self, name), zero=True)
        check_whole("Retry's budget", self.budget, least=0)
        if self.hedge_after is not None:
            check_seconds("Retry's hedge_after", self.hedge_after)


NEVER = Retry(max_seconds=0.0, budget=0)


class Contact:
    """Keep what one client knows about its servers: whether they answer, since when not, the retries left.

    What they take at a time is in its `gate`.

    `contact.retry_at(error, sent=9.0, now=10.0)` tells when to send the request again.
    Threads may share an object that has a lock.

    Args:
        retry: The policy.
        draw: Gives random numbers in [0, 1).
        several: Whether requests may go to different servers, so that one that hangs says nothing about an image.
        lock: Held while the state changes; needed where threads share the object. None: no lock.
    """

    def __init__(
        self,
        retry: Retry,
        draw: Callable[[], float] = random.random,
        *,
        several: bool = False,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        self.retry = retry
        self.several = several
        self._draw = draw
        self.gate = Gate(
            patience=retry.max_seconds, first_delay=retry.first_delay, max_delay=retry.max_delay, draw=draw
        )
        self._lock = nullcontext() if lock is None else lock
        self._met = False
        # Whether a prediction has ever been answered; set once, and never back.
        self.predicts = False
        self._tokens = float(retry.budget)
        self._filled_at: float | None = None
        self._failing_since: float | None = None
        self._failures = 0
        self._last_failure = 0.0
        self._last_answer = -math.inf

    @property
    def met(self) -> bool:
        """Tell whether a server has shown that it serves the model."""
        return self._met

    def answered(self, now: float) -> None:
        """Take note of an answer that came at `now`."""
        with self._lock:
            self._met = True
            self._last_answer = max(self._last_answer, now)
            self._failing_since = None
            self._failures = 0
            self._tokens = min(self._tokens + _TOKENS_PER_ANSWER, self.retry.budget)

    def retry_at(
        self,
        error: CallError,
        *,
        sent: float,
        now: float,
        first_failure: float | None = None,
        deadline: float | None = None,
    ) -> float | None:
        """Take note of a failure, and tell when to try again.

        Args:
            error: The failure.
            sent: When the request was sent, in seconds on the clock of `now`.
            now: The time.
            first_failure: When the same request failed for the first time; None for now.
            deadline: When the caller's time is over.

        Returns:
            The time for the next try, or None: report the failure.
        """
        with self._lock:
            what = then(error)
            # Such a refusal shows that the model is served.
            self._met = self._met or what in (Then.SPLIT, Then.SUSPECT)
            if what is not Then.RETRY and not (what is Then.RETRY_IF_MET and self._met):
                return None
            self._note(sent, now)
            patience = self.retry.max_seconds
            if not self._met and isinstance(error, ServerUnavailable):
                patience = min(patience, _FIRST_CONTACT_SECONDS)
            # A server that has been away for long already is not waited for by every request anew.
            since = now if first_failure is None else first_failure
            if self._failing_since is not None:
                since = min(since, self._failing_since)
            end = since + patience if deadline is None else min(since + patience, deadline)
            longest = min(self.retry.max_delay, self.retry.first_delay * 2.0 ** min(self._failures - 1, 60))
            # In the server's queue for too long, while the server answered others: back-pressure, and not a failure.
            # gRPC's own deadline passes before the server can say so. Of several servers, one may hang.
            queued = isinstance(error, DeadlineExceeded) and self._last_answer > sent and not self.several
            free = queued and self.retry.budget >= 1
            at = now + max(self._draw() * longest, 0.0 if free else self._seconds_to_token(now))
            if at >= end:
                return None
            self._tokens -= 0 if free else 1
            return at

    def again_at(self, error: CallError, times: int, now: float, deadline: float | None) -> float | None:
        """Tell when to send a request again that may have failed because of a neighbour in the server's batch.

        Such a repetition takes no token: the server is well, and does not get more to do by it than by any request.

        Args:
            error: The failure.
            times: How often the request has been repeated for such a failure.
            now: The time.
            deadline: When the caller's time is over; None: never.

        Returns:
            The time for the next try, or None: report the failure.
        """
        if times >= REPEATS.get(then(error), 0) or self.retry.max_seconds <= 0:
            return None
        at = now + self._draw() * self.retry.first_delay
        return at if deadline is None or at < deadline else None

    def may_hedge(self, now: float) -> bool:
        """Take a token for a second request, if there is one and no request waits for room."""
        with self._lock:
            if self.gate.waiting or self._seconds_to_token(now) > 0:
                return False
            self._tokens -= 1
            return True

    def _note(self, sent: float, now: float) -> None:
        """Count a failure; those of requests that were on their way together count as one."""
        forgotten = now - self._last_failure > max(self.retry.max_seconds, self.retry.max_delay)
        if self._failing_since is None or forgotten:
            self._failing_since = now
            self._failures = 1
        elif sent >= self._last_failure:
            self._failures += 1
        self._last_failure = now

    def _seconds_to_token(self, now: float) -> float:
        if self._filled_at is not None:
            gained = _TOKENS_PER_SECOND * max(now - self._filled_at, 0.0)
            self._tokens = min(self._tokens + gained, float(self.retry.budget))
        # Threads come with times that they took a little earlier.
        self._filled_at = now if self._filled_at is None else max(now, self._filled_at)
        return max(1 - self._tokens, 0.0) / _TOKENS_PER_SECOND if self.retry.budget >= 1 else math.inf
