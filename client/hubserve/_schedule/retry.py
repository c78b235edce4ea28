"""Decide when a failed request is retried: plain arithmetic on times that are passed in.

Delays are exponential with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), so
that callers that failed together do not retry together. Retries take tokens from a bucket that all calls of a client
share. Answers and time fill the bucket (as in Finagle's `RetryBudget`; gRPC's retry throttling, proposal A6, has the
first half), so that retries never become the load that keeps a server down. gRPC's own retries do not work here: they
stop at requests of 256 KiB, and one photograph is larger.
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

# If a server has never answered, its address is probably wrong: it is probably not restarting.
_FIRST_CONTACT_SECONDS = 2.0
# How often a request is retried that may have failed because of another request in the server's batch. If another
# client spoils three batches of ten, a request fails nine times in a row once in 50,000 requests.
REPEATS = {Then.NEIGHBOUR: 8, Then.ALONE: 1}
_TOKENS_PER_ANSWER = 0.1
_TOKENS_PER_SECOND = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The policy for retries: `Client(target, model="m", retry=Retry(max_seconds=300))`.

    Attributes:
        max_seconds: How long after its first failure a request is retried. If the server is away for longer, the
            results of its images are errors. Until a server has answered this client once, at most 2 seconds. A request
            for which the server has no room waits longer: as long as the server answers other requests of the client.
        first_delay: The longest delay before the first retry, in seconds. It doubles with each failure in a row, and
            each delay is drawn at random between 0 and it.
        max_delay: The upper limit of the doubling, in seconds.
        budget: How many retries may be made at once, beyond a tenth of the requests and one in a second.
        hedge_after: Seconds after which a second request is sent for images that are not yet answered. The first
            answer counts, and the second request takes a token from the budget. None: never.

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
    """The state of one client's servers: whether they answer, since when they do not, and the retries left.

    The number of requests that they take at a time is in `gate`.

    `contact.retry_at(error, sent=9.0, now=10.0)` tells when to send the request again.
    Threads may share an object with a lock.

    Args:
        retry: The policy.
        draw: Returns random numbers in [0, 1).
        several: Whether requests may go to different servers, so that a timeout does not show that an image is slow.
        lock: Held while the state changes; needed if threads share the object. None: no lock.
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
        # Whether a prediction was ever answered; it never becomes False again.
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
        """Record an answer that came at `now`."""
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
        """Record a failure, and return the time of the retry.

        Args:
            error: The failure.
            sent: When the request was sent, in seconds on the clock of `now`.
            now: The time.
            first_failure: When the same request failed for the first time; None: now.
            deadline: The caller's deadline.

        Returns:
            The time of the retry; None: report the failure.
        """
        with self._lock:
            what = then(error)
            # Such a refusal shows that the server serves the model.
            self._met = self._met or what in (Then.SPLIT, Then.SUSPECT)
            if what is not Then.RETRY and not (what is Then.RETRY_IF_MET and self._met):
                return None
            self._note(sent, now)
            patience = self.retry.max_seconds
            if not self._met and isinstance(error, ServerUnavailable):
                patience = min(patience, _FIRST_CONTACT_SECONDS)
            # If the server has been away for long, new requests do not wait for the full time again.
            since = now if first_failure is None else first_failure
            if self._failing_since is not None:
                since = min(since, self._failing_since)
            end = since + patience if deadline is None else min(since + patience, deadline)
            longest = min(self.retry.max_delay, self.retry.first_delay * 2.0 ** min(self._failures - 1, 60))
            # If the server answered others meanwhile, the request waited too long in its queue: this is back-pressure,
            # and not a failure. gRPC's deadline passes before the server can say so. Of several servers, one may hang.
            queued = isinstance(error, DeadlineExceeded) and self._last_answer > sent and not self.several
            free = queued and self.retry.budget >= 1
            at = now + max(self._draw() * longest, 0.0 if free else self._seconds_to_token(now))
            if at >= end:
                return None
            self._tokens -= 0 if free else 1
            return at

    def again_at(self, error: CallError, times: int, now: float, deadline: float | None) -> float | None:
        """Return the time of the retry of a request that may have failed because of another one in the server's batch.

        Such a retry takes no token: the server works, and the retry is not more work than any other request.

        Args:
            error: The failure.
            times: How often the request was already retried for such a failure.
            now: The time.
            deadline: The caller's deadline; None: none.

        Returns:
            The time of the retry; None: report the failure.
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
        """Count a failure; failures of requests that were in flight together count as one."""
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
        # Threads may pass times that are slightly older than those of other threads.
        self._filled_at = now if self._filled_at is None else max(now, self._filled_at)
        return max(1 - self._tokens, 0.0) / _TOKENS_PER_SECOND if self.retry.budget >= 1 else math.inf
