"""Twenty servers that exist only in arithmetic, the highest rate at which each keeps its promise, and what is found.

    python tests/client/slo_servers.py

prints the table: the truth comes from a long simulation of the same server with other random numbers, and what
`hubserve bench --slo` finds in 60 seconds of the servers' own clock. Its exit code is 0 when all are within 5%.
"""

import heapq
import math
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hubserve_bench.arrivals import Limits, Open
from hubserve_bench.promise import Promise
from hubserve_bench.slo_search import SloSearch
from hubserve_bench.trial import Trial

SECOND = 1_000_000_000
# From when a request is sent, when it is answered, in seconds; None: it is refused.
Answers = Callable[[float], "float | None"]


def queue(servers: int, service: Callable[[random.Random], float], extra: float = 0.0, room: int = 10**9):
    """Requests wait in one line for the first free of some servers; beyond `room` in the line they are refused."""

    def start(seed: int) -> Answers:
        draw = random.Random(f"service {seed}")  # noqa: S311 - no secret
        free = [0.0] * servers
        ends: list[float] = []

        def answer(now: float) -> float | None:
            while ends and ends[0] <= now:
                heapq.heappop(ends)
            if len(ends) >= room:
                return None
            end = max(heapq.heappop(free), now) + service(draw)
            heapq.heappush(free, end)
            heapq.heappush(ends, end)
            return end + extra

        return answer

    return start


def batcher(most: int, delay: float, first: float, each: float):
    """Requests go in batches of at most `most`, whose first has waited `delay` at most; one batch runs at a time.

    A batch takes `first + each * its size`. It closes when it is full, when its delay is over and the server is free.
    """

    def start(seed: int) -> Answers:
        state = {"free": 0.0, "opens": -1.0, "size": 0, "end": 0.0}

        def answer(now: float) -> float | None:
            closes = max(state["opens"] + delay, state["free"])
            if state["size"] and state["size"] < most and now <= closes:
                state["size"] += 1
            else:
                if state["size"]:
                    state["free"] = state["end"]
                state["opens"], state["size"] = now, 1
            # As if the batch took no more: those that come later make it longer for all, which is left out.
            state["end"] = max(state["opens"] + delay, state["free"]) + first + each * state["size"]
            return state["end"]

        return answer

    return start


def pausing(inner, every: float, length: float):
    """A server that stands still for a while again and again, as for garbage collection."""

    def start(seed: int) -> Answers:
        answers = inner(seed)

        def answer(now: float) -> float | None:
            at = answers(now)
            if at is None:
                return None
            within = at % every
            return at + (length - within if within < length else 0.0)

        return answer

    return start


def exponential(mean: float):
    return lambda draw: draw.expovariate(1 / mean)


def lognormal(mean: float, sigma: float):
    return lambda draw: draw.lognormvariate(math.log(mean) - sigma**2 / 2, sigma)


def mixed(short: float, long: float, share: float):
    return lambda draw: long if draw.random() < share else short


def fixed(seconds: float):
    return lambda draw: seconds


@dataclass(frozen=True)
class Server:
    name: str
    start: Callable[[int], Answers]
    promise: Promise
    poisson: bool = True
    # The truth, where a formula tells it.
    exact: float | None = None


def promise(text: str) -> Promise:
    return Promise.parse(text)


def alone(mean: float, text: str) -> Server:
    """One server with exponential service: P(latency > t) = exp(-(mu - rate) t), in every book on queues (M/M/1)."""
    kept = promise(text)
    exact = 1 / mean + math.log(kept.late_share) / kept.seconds
    return Server(f"one, exponential {1000 * mean:g} ms, {text}", queue(1, exponential(mean)), kept, exact=exact)


SERVERS = [
    alone(0.0004, "p99=8ms"),
    alone(0.0004, "p99=20ms"),
    alone(0.0006, "p95=6ms"),
    alone(0.002, "p50=4ms"),
    Server("one, fixed 1 ms, p99 8 ms", queue(1, fixed(0.001)), promise("p99=8ms")),
    Server("one, fixed 2 ms, p99 30 ms", queue(1, fixed(0.002)), promise("p99=30ms")),
    Server(
        "one, fixed 10 ms, equal intervals", queue(1, fixed(0.010)), promise("p99=50ms"), poisson=False, exact=100.0
    ),
    Server("four, fixed 8 ms, p99 30 ms", queue(4, fixed(0.008)), promise("p99=30ms")),
    Server("four, exponential 2 ms, p99 16 ms", queue(4, exponential(0.002)), promise("p99=16ms")),
    Server("sixteen, fixed 40 ms, p99 100 ms", queue(16, fixed(0.040)), promise("p99=100ms")),
    Server("sixteen, exponential 10 ms, p99 75 ms", queue(16, exponential(0.010)), promise("p99=75ms")),
    Server("two, lognormal 2 ms, p99 20 ms", queue(2, lognormal(0.002, 0.5)), promise("p99=20ms")),
    Server("eight, lognormal 10 ms, p95 30 ms", queue(8, lognormal(0.010, 0.3)), promise("p95=30ms")),
    Server("one, 1 ms and 5 ms, p99 40 ms", queue(1, mixed(0.001, 0.005, 0.1)), promise("p99=40ms")),
    Server("two, far away (40 ms), p99 70 ms", queue(2, fixed(0.004), extra=0.040), promise("p99=70ms")),
    Server("batches of 8, p99 30 ms", batcher(8, 0.0025, 0.005, 0.001), promise("p99=30ms")),
    Server("batches of 32, p99 200 ms", batcher(32, 0.010, 0.020, 0.001), promise("p99=200ms")),
    Server("batches of 4, p95 50 ms", batcher(4, 0.001, 0.005, 0.001), promise("p95=50ms")),
    Server("one with pauses of 10 ms, p99 30 ms", pausing(queue(1, fixed(0.001)), 1.0, 0.010), promise("p99=30ms")),
    Server("four, refusing beyond 12, p99 500 ms", queue(4, fixed(0.010), room=12), promise("p99=500ms")),
]


def late_share(server: Server, rate: float, requests: int, seed: int) -> float:
    """The share of late requests in the long run."""
    answers, late = server.start(seed), 0
    arrivals = Open(rate, server.poisson, seed).arrivals()
    skipped = requests // 20
    for number, due in enumerate(arrivals):
        now = due / SECOND
        at = answers(now)
        late += number >= skipped and (at is None or at - now > server.promise.seconds)
        if number == requests:
            break
    return late / (requests - skipped)


def truth(server: Server, near: float, requests: int = 300_000) -> float:
    """The highest rate that keeps the promise, by a formula or by halving an interval that holds it."""
    if server.exact is not None:
        return server.exact

    def keeps(rate: float) -> bool:
        return late_share(server, rate, requests, 991) <= server.promise.late_share

    low = high = near
    while not keeps(low):
        low /= 1.3
    while keeps(high):
        high *= 1.3
    while high / low > 1.003:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return math.sqrt(low * high)


def search(server: Server, seconds: float = 60.0, seed: int = 0) -> SloSearch:
    """Searches as `hubserve bench --slo` does, on the server's own clock."""
    answers = server.start(seed)
    first = [answers(-50.0 + number) for number in range(5)]
    alone = sorted(at - (-50.0 + number) for number, at in enumerate(first) if at is not None)[2]
    found = SloSearch(server.promise, seconds, alone)
    now = 0
    while (one := found.next()) is not None:
        began = now
        trial = Trial(
            Open(one.rate, server.poisson, seed + len(found.tried)),
            Limits(warmup=one.warmup, duration=one.duration, requests=None, timeout=30.0, in_flight=10**6),
            now,
        )
        landing: list[tuple[int, int, bool]] = []
        while not trial.finished(now):
            due = trial.next_due(now)
            if due is not None and due <= now:
                number, _ = trial.begin(now)
                trial.handed(number, now)
                at = answers(now / SECOND)
                heapq.heappush(landing, (now if at is None else max(round(at * SECOND), now), number, at is None))
            else:
                now = max(now, min(at for at in (due, landing[0][0] if landing else None) if at is not None))
            while landing and landing[0][0] <= now:
                at, number, refused = heapq.heappop(landing)
                trial.landed(number, at, failure="RESOURCE_EXHAUSTED" if refused else None)
        tally = trial.tally
        found.add(one.rate, tally.due, server.promise.late(tally), (now - began) / SECOND)
    return found


def table(servers: list[Server] = SERVERS, seed: int = 0) -> Iterator[tuple[str, float, float, float]]:
    """For each server its name, the truth, what was found, and the seconds that took."""
    for server in servers:
        found = search(server, seed=seed)
        rate = found.rate() or 0.0
        yield server.name, truth(server, rate) if rate else math.nan, rate, found.spent


def main() -> int:
    wrong = 0
    print(f"{'server':42}{'truth/s':>10}{'found/s':>10}{'off':>8}{'seconds':>9}")
    for name, exact, rate, seconds in table(seed=int(sys.argv[1]) if len(sys.argv) > 1 else 0):
        off = rate / exact - 1
        wrong += not abs(off) <= 0.05
        print(f"{name:42}{exact:10.1f}{rate:10.1f}{off:8.1%}{seconds:9.1f}", flush=True)
    print(f"{len(SERVERS) - wrong} of {len(SERVERS)} within 5%")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
