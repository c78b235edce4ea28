"""Limit the requests in flight of all calls of one client: plain arithmetic on times that are passed in.

TensorFlow Serving refuses a request when it has no thread or no place in a queue for it. The request itself did not
fail: the refusal shows how much the server takes. All calls of a client share one gate, so that each profits from it:

- Until the first refusal, every request is sent at once.
- At a refusal, the other requests in flight were taken by the server. Their number becomes the limit, and the refused
  request waits in its old place in the line. Refusals of requests that were in flight together count as one.
- If answers take much longer than the quickest ones, requests wait in the server's queue. Then the limit is cut to half
  at most: the queue keeps the server busy meanwhile, and other processes may have filled it too.
- Answers raise the limit: by one each up to the number that the server took before, and above it by one after some
  rounds. The number of rounds doubles when a raise is refused. After several raises without a refusal, the step doubles
  (as CUBIC grows again after a loss, RFC 9438).
- A full queue is filled by all processes, and each raise of one of them may be refused. So the gate raises its limit
  after hundreds of answers only, with jitter, and one refusal takes the raise back: about one answer in 300 is refused,
  however many processes there are (additive increase and multiplicative decrease, as in TCP: Chiu and Jain, 1989). If
  answers come much sooner than at the refusal, other processes have left, and each round raises the limit.
- When a server has no free thread, a few refusals are tolerated: a thread is free a little later than its answer comes.
- When nothing is in flight, the next request waits for a random time, whose bound doubles with each refusal.

A request waits as long as the server answers any request of the client. If no request is answered for the seconds of
the retry policy, the refusal is reported.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from typing import Any

from .._errors import NO_THREAD, QUEUE_TIMEOUT, CallError

# A share of what the server took, because it still works on those requests.
_AFTER_REFUSAL = 0.9
_LEAST_KEPT = 0.5
# If requests time out in the queue, the queue is too long for all requests in it.
_AFTER_QUEUE_TIMEOUT = 0.5
_ROUNDS_TO_RAISE = 4
_MOST_ROUNDS_TO_RAISE = 64
# Answers between two raises after a queue was full: four times as many after a refused raise, half after another one.
_ANSWERS_TO_RAISE = 256
_LEAST_ANSWERS_TO_RAISE = 16
_MOST_ANSWERS_TO_RAISE = 512
# Answers that take less than this share of the time of those at the last refusal come from servers with less to do.
_MUCH_SOONER = 0.5
# Answers that take this many times as long as the quickest one have waited in a queue.
_QUEUED = 1.5
_SMOOTHED_OVER = 8
# The share of requests that may be refused before the limit is lowered: for lack of a thread, and of room in a queue.
_THREADS_TOLERATED = 0.1
_QUEUE_TOLERATED = 0.02
_SHARE_OVER = 32
# After this number of raises in a row, the server seems to have more room than before.
_RAISES_TO_SPEED_UP = 3
# If no request ends for this long, one request above the limit is tried: those in flight may take long.
_STALLED_SECONDS = 1.0
# Entries of ended requests that may stay in the heaps behind a waiting one, before the heaps are cleaned.
_KEPT = 8


class Turn:
    """One request's place: in line, then in flight; in line again after a refusal.

    Attributes:
        owner: The object that joined the line.
        deadline: The time at which the request leaves the line without an answer; None: never.
        in_flight: Whether the request may be sent, or was sent.
        waits: Whether the request is in line.
        refusal: The last refusal of this request.
    """

    __slots__ = ("deadline", "extra", "in_flight", "order", "owner", "refusal", "round", "sent", "waits")

    def __init__(self, order: tuple[int, int], owner: Any, deadline: float | None) -> None:
        self.order = order
        self.owner = owner
        self.deadline = deadline
        self.in_flight = False
        self.waits = True
        self.refusal: CallError | None = None
        self.round = 0
        self.extra = False
        self.sent = 0.0

    def __lt__(self, other: Turn) -> bool:
        return self.order < other.order


class Gate:
    """Decide which requests may be sent: `turn = gate.join()`, then `gate.next(now)`.

    It is not thread-safe: threads that share a gate hold a lock.

    Args:
        patience: Seconds without any answer after which a refusal is reported; 0: refusals are reported at once.
        first_delay: As for `Retry`.
        max_delay: As for `Retry`.
        draw: Returns random numbers in [0, 1).
    """

    def __init__(
        self, *, patience: float, first_delay: float, max_delay: float, draw: Callable[[], float] = random.random
    ) -> None:
        self._patience = patience
        self._first_delay = first_delay
        self._max_delay = max_delay
        self._draw = draw
        self._orders = itertools.count()
        self._line: list[Turn] = []
        self._deadlines: list[tuple[float, int, Turn]] = []
        self._waiting = 0
        self._in_flight = 0
        # The most in flight, and the number that the server took at its last refusal.
        self._limit = math.inf
        self._room = math.inf
        # The number of refusals; refusals of requests that were in flight together count as one.
        self._round = 0
        self._answers = 0
        self._rounds_to_raise = _ROUNDS_TO_RAISE
        self._answers_to_raise: float = _ANSWERS_TO_RAISE
        # Whether the last refusal was for a full queue, and a random factor of the answers until the next raise.
        self._queue_full = False
        self._jitter = 1.0
        self._raises = 0
        self._refused_share = 0.0
        # The fewest requests in flight at a refusal of the last round.
        self._least: float = math.inf
        self._not_before = -math.inf
        self._last_event = -math.inf
        # Seconds until an answer: smoothed, smoothed at the last refusal, and the fewest.
        self._seconds = math.inf
        self._seconds_at_refusal = 0.0
        self._fewest_seconds = math.inf
        self._refusals = 0
        self._refused_since: float | None = None
        self.last_refusal: CallError | None = None

    @property
    def waiting(self) -> int:
        """The number of requests in line."""
        return self._waiting

    @property
    def in_flight(self) -> int:
        """The number of requests in flight."""
        return self._in_flight

    @property
    def limit(self) -> float:
        """The most requests in flight; infinite until a server has refused one."""
        return self._limit

    def join(self, *, owner: Any = None, deadline: float | None = None, urgent: bool = False) -> Turn:
        """Add a request to the line: at its end, or before all requests that are not urgent."""
        if not (self._waiting or self._in_flight):
            # While the client had no requests, the server may have recovered.
            self._refused_since = None
        turn = Turn((0 if urgent else 1, next(self._orders)), owner, deadline)
        self._enqueue(turn)
        return turn

    def next(self, now: float) -> Turn | None:
        """Return the next request that may be sent now, and count it as in flight."""
        if not self._waiting or now < self._not_before:
            return None
        full = self._in_flight >= self._limit
        if full and now < self._stalled_at():
            return None
        turn = heapq.heappop(self._line)
        while not turn.waits:
            turn = heapq.heappop(self._line)
        turn.waits = False
        turn.in_flight = True
        turn.round = self._round
        turn.extra = full
        turn.sent = now
        self._waiting -= 1
        self._in_flight += 1
        self._last_event = now
        self._let_go()
        return turn

    def wake_at(self) -> float | None:
        """Return the time at which `next` or `expired` may return something without another event; None if never."""
        if not self._waiting:
            return None
        at = self._not_before
        if self._in_flight >= self._limit:
            at = max(at, self._stalled_at())
        return min(at, self._deadlines[0][0]) if self._deadlines else at

    def expired(self, now: float) -> list[Turn]:
        """Remove and return the requests in line whose deadline has passed."""
        turns = []
        while self._deadlines and self._deadlines[0][0] <= now:
            turn = self._deadlines[0][2]
            self.leave(turn, now)
            turns.append(turn)
        return turns

    def answered(self, turn: Turn, now: float) -> None:
        """Record an answer."""
        full = self._in_flight >= self._limit
        self.leave(turn, now)
        self._time(now - turn.sent)
        self._refused_share -= self._refused_share / _SHARE_OVER
        self._refusals = 0
        self._refused_since = None
        # Below the limit, an answer does not show whether the limit could be higher.
        if not full or turn.extra:
            return
        if self._limit < self._room:
            self._limit = min(self._room, self._limit + 1)
            return
        self._answers += 1
        if self._answers >= self._answers_until_raise():
            self._raise()

    def refused(self, turn: Turn, now: float, error: CallError) -> bool:
        """Record a refusal for lack of room.

        Args:
            turn: The request's turn.
            now: The time.
            error: The refusal.

        Returns:
            True if the request waits in line again; False if the refusal must be reported.
        """
        waited = QUEUE_TIMEOUT in error.details
        self.leave(turn, now)
        if self._patience <= 0:
            return False
        turn.refusal = self.last_refusal = error
        taken = max(1, self._in_flight)
        if waited:
            taken = max(1, math.floor((self._in_flight + 1) * _AFTER_QUEUE_TIMEOUT))
        if turn.round == self._round and not (turn.extra and taken >= self._limit):
            self._queue_full = NO_THREAD not in error.details
            self._cut(taken, waited=waited)
        elif not (waited or turn.extra):
            self._limit = min(self._limit, taken)
            self._least = min(self._least, taken)
            if turn.round == 0:
                # The request was sent before the first refusal.
                self._room = min(self._room, taken)
        self._refusals += 1
        self._refused_since = now if self._refused_since is None else self._refused_since
        if now - self._refused_since >= self._patience:
            return False
        if not self._in_flight:
            self._not_before = now + self._draw() * self._longest_delay()
        self._enqueue(turn)
        return True

    def leave(self, turn: Turn, now: float) -> None:
        """Remove a request that was cancelled, or that failed for another reason than lack of room."""
        if turn.in_flight:
            turn.in_flight = False
            self._in_flight -= 1
            self._last_event = now
        elif turn.waits:
            turn.waits = False
            self._waiting -= 1
            self._let_go()

    def hopeless(self, now: float) -> list[Turn]:
        """Remove all requests from the line if the server has not answered any for the seconds of the retry policy."""
        over = self._refused_since is not None and now - self._refused_since >= self._patience
        return self.empty(now) if over else []

    def empty(self, now: float) -> list[Turn]:
        """Remove all requests from the line."""
        turns = [turn for turn in self._line if turn.waits]
        for turn in turns:
            self.leave(turn, now)
        self._line.clear()
        self._deadlines.clear()
        return turns

    def _enqueue(self, turn: Turn) -> None:
        turn.waits = True
        self._waiting += 1
        heapq.heappush(self._line, turn)
        if turn.deadline is not None:
            heapq.heappush(self._deadlines, (turn.deadline, next(self._orders), turn))

    def _let_go(self) -> None:
        """Drop ended requests from the heaps: they would keep their owners, and so the answers, in memory."""
        while self._line and not self._line[0].waits:
            heapq.heappop(self._line)
        while self._deadlines and not self._deadlines[0][2].waits:
            heapq.heappop(self._deadlines)
        # Ended requests behind a waiting one are removed now and then.
        if len(self._line) + len(self._deadlines) > 4 * self._waiting + _KEPT:
            self._line = [turn for turn in self._line if turn.waits]
            self._deadlines = [entry for entry in self._deadlines if entry[2].waits]
            heapq.heapify(self._line)
            heapq.heapify(self._deadlines)

    def _stalled_at(self) -> float:
        return self._last_event + max(_STALLED_SECONDS, self._longest_delay())

    def _longest_delay(self) -> float:
        # A server that answers within milliseconds may have room again within milliseconds.
        first = self._first_delay if self._seconds == math.inf else self._seconds
        return min(self._max_delay, first * 2.0 ** min(max(self._refusals - 1, 0), 60))

    def _time(self, seconds: float) -> None:
        """Record how long an answer took."""
        self._fewest_seconds = min(self._fewest_seconds, seconds)
        change = 0.0 if self._seconds == math.inf else (self._seconds - seconds) * (1 - 1 / _SMOOTHED_OVER)
        self._seconds = seconds + change

    def _kept(self) -> float:
        """Return the share of the limit that is kept after a refusal."""
        if not self._queue_full or self._seconds == math.inf:
            return _AFTER_REFUSAL
        return min(_AFTER_REFUSAL, max(_LEAST_KEPT, _QUEUED * self._fewest_seconds / self._seconds))

    def _cut(self, taken: int, *, waited: bool) -> None:
        self._round += 1
        self._answers = 0
        self._jitter = 0.75 + self._draw() / 2
        self._seconds_at_refusal = self._seconds if self._seconds < math.inf else 0.0
        kept = self._kept()
        if self._room == math.inf or waited:
            self._limit = max(1, math.floor(taken * _AFTER_REFUSAL if waited else taken * kept))
            self._room = self._limit if kept < _AFTER_REFUSAL and not waited else taken
            return
        self._limit = taken
        least, self._least = self._least, taken
        # A server's thread may become free a little later than its answer arrives, so that a few refusals are normal.
        self._refused_share += (1 - self._refused_share) / _SHARE_OVER
        if self._refused_share > self._tolerated():
            self._refused_share = 0.0
            # Go down towards the number that was left in flight after all refusals of the last round: with long network
            # delays, the first refusal arrives while many requests that will be refused still count as in flight.
            lower = max(1, self._room // _SHARE_OVER, int(max(0, self._room - least) // 2))
            if kept < _AFTER_REFUSAL:
                lower = max(lower, int(self._room * (1 - kept)))
            self._room = max(min(taken, least), self._room - lower)
            self._raises = 0
            self._rounds_to_raise = min(2 * self._rounds_to_raise, _MOST_ROUNDS_TO_RAISE)
            self._answers_to_raise = min(4 * self._answers_to_raise, _MOST_ANSWERS_TO_RAISE)

    def _tolerated(self) -> float:
        return _QUEUE_TOLERATED if self._queue_full else _THREADS_TOLERATED

    def _answers_until_raise(self) -> float:
        """Return the number of answers between the last raise or refusal and the next raise."""
        left = self._seconds < _MUCH_SOONER * self._seconds_at_refusal
        if left or self._raises >= _RAISES_TO_SPEED_UP:
            return self._limit
        rounds = self._rounds_to_raise * self._limit
        return max(rounds, self._answers_to_raise * self._jitter) if self._queue_full else rounds

    def _raise(self) -> None:
        self._answers = 0
        self._raises += 1
        self._answers_to_raise = max(self._answers_to_raise / 2, _LEAST_ANSWERS_TO_RAISE)
        # A refusal soon after a raise takes it back: the first one of a full queue, the second one of threads.
        soon = self._tolerated() if self._queue_full else self._tolerated() / 2
        self._refused_share = max(self._refused_share, soon)
        step = 1
        if self._raises >= _RAISES_TO_SPEED_UP:
            step = 2 ** (self._raises - _RAISES_TO_SPEED_UP)
        self._room = self._limit = self._limit + step
