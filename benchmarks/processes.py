"""Measure what many worker processes get from four servers together, beside one process with the best window.

    .venv/bin/python benchmarks/processes.py
    .venv/bin/python benchmarks/processes.py --only simulated --queue 4 10 100

Each process has its own client, and knows nothing of the others. The simulated part drives the client's own schedule
(`Run`, `Gate`, "auto" window) with a clock that exists only in arithmetic: it shows the algorithm, and not the
machine. The real part starts processes against four scripted servers on this machine; with few cores its throughput is
also that of the processor. A server works on `--at-once` requests of `--seconds` each, keeps `--queue` more, and
refuses the rest in TensorFlow Serving's words. hubserve's exports have a queue of 100.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

import grpc

import machine
import options
from hubserve import Classification, Client, Retry
from hubserve._errors import call_error
from hubserve._images.encode import EncodedImage
from hubserve._schedule.batching import Capacity, Limits
from hubserve._schedule.retry import Contact
from hubserve._schedule.run import Run
from hubserve._schedule.window import MOST, Fixed, Vegas, Window
from hubserve.testing import FakeServer, Fault, Request
from row import Figures, Row

SERVERS = 4
PROCESSES = (1, 2, 4, 8, 16, 32)
QUEUES = (10, 100)
WINDOWS = (4, 8, 16, 32)
FULL = "The batch scheduling queue to which this task was submitted is full"
# Of a simulated run, what is not counted, and all.
WARM_UP, SIMULATED = 20.0, 80.0


def main() -> None:
    parser = options.parser(__doc__)
    parser.add_argument("--only", choices=("simulated", "real"))
    parser.add_argument("--processes", type=int, nargs="+", default=PROCESSES)
    parser.add_argument("--queue", type=int, nargs="+", default=QUEUES, help="places in each server's queue")
    parser.add_argument("--at-once", type=int, default=4, help="requests that each server works on at once")
    parser.add_argument("--seconds", type=float, default=0.2, help="how long a request takes, in the real part")
    parser.add_argument("--settle", type=float, default=30.0, help="seconds before each real measurement")
    parser.add_argument("--measure", type=float, default=20.0, help="seconds of each real measurement")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        work(*arguments.part)
        return
    print(machine.described())
    figures = Figures("processes", command=machine.command())
    if arguments.only != "real":
        for queue in arguments.queue:
            best = max(World(1, arguments.at_once, queue, lambda size=size: Fixed(size)).run()[0] for size in WINDOWS)
            for count in arguments.processes:
                for share, words in ((MOST, ""), (max(1, MOST // count), f" that share {MOST} requests in flight")):
                    world = World(count, arguments.at_once, queue, lambda share=share: Vegas(share))
                    rate, refused = world.run()
                    add(figures, f"simulated, queue of {queue}, {count} processes{words}", rate / best, refused)
    if arguments.only != "simulated":
        for queue in arguments.queue:
            load = (arguments.at_once, queue, arguments.seconds, arguments.settle, arguments.measure)
            best = max(real(1, *load, str(size))[0] for size in WINDOWS[-2:])
            for count in arguments.processes:
                for share, words in ((MOST, ""), (max(1, MOST // count), f" that share {MOST} requests in flight")):
                    rate, refused = real(count, *load, "auto", share)
                    add(figures, f"real, queue of {queue}, {count} processes{words}", rate / best, refused)
    if arguments.json:
        figures.write(arguments.json)


def add(figures: Figures, what: str, ratio: float, refused: float) -> None:
    figures.add(Row(f"{what}, throughput against one with the best window", [ratio], at_least=0.9))
    figures.add(Row(f"{what}, refusals of 100 answers", [100 * refused], unit="%", at_most=1))


def real(
    count: int,
    at_once: int,
    queue: int,
    seconds: float,
    settle: float,
    measure: float,
    window: str,
    share: int = MOST,
) -> tuple[float, float]:
    """Measure answers a second and refusals for each answer of so many processes."""
    counted = Counted(at_once, seconds)
    # Each client watches the health of each server, which takes a thread of the scripted server.
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                FakeServer(lambda _: {"a": 1.0}, before=counted.server(queue), threads=at_once + queue + 8 + count)
            )
            for _ in range(SERVERS)
        ]
        targets = ",".join(server.target for server in servers)
        command = [sys.executable, __file__, "--part", targets, window, str(share)]
        workers = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(count)
        ]
        try:
            for worker in workers:
                worker.stdout.readline()
            for worker in workers:
                worker.stdin.write("go\n")
                worker.stdin.flush()
            # Each process is refused two or three times before it knows what the servers take.
            time.sleep(settle)
            before = counted.answers, counted.refusals
            time.sleep(measure)
            answers, refusals = counted.answers - before[0], counted.refusals - before[1]
        finally:
            for worker in workers:
                worker.kill()
    return answers / measure, refusals / max(1, answers)


class Counted:
    """Counts what four servers answer and refuse."""

    def __init__(self, at_once: int, seconds: float) -> None:
        self._at_once = at_once
        self._seconds = seconds
        self.answers = 0
        self.refusals = 0
        self._lock = threading.Lock()

    def server(self, queue: int) -> Callable[[Request], None]:
        places = threading.Semaphore(self._at_once + queue)
        working = threading.Semaphore(self._at_once)

        def before(_: Request) -> None:
            if not places.acquire(blocking=False):
                with self._lock:
                    self.refusals += 1
                raise Fault("UNAVAILABLE", FULL)
            try:
                with working:
                    time.sleep(self._seconds)
            finally:
                places.release()
            with self._lock:
                self.answers += 1

        return before


def work(targets: str, window: str, share: str) -> None:
    """Ask without end, as one worker process."""
    size = "auto" if window == "auto" else int(window)
    retry = Retry(max_seconds=300)
    bounds = {"concurrency": size, "max_concurrency": int(share)}
    with Client(targets.split(","), model="m", max_batch_size=1, retry=retry, **bounds) as client:
        print("ready", flush=True)
        sys.stdin.readline()
        for result in client.classify(itertools.repeat(b"a"), ordered=False):
            if not result.ok:
                print(json.dumps(result.error), file=sys.stderr)


class World:
    """Processes and servers that exist only in arithmetic: `World(8, at_once=4, queue=10, window=Vegas).run()`."""

    def __init__(
        self, processes: int, at_once: int, queue: int, window: Callable[[], Window], leave_at: float = SIMULATED
    ) -> None:
        self.random = random.Random(processes)  # noqa: S311 - the same in every run
        self.now = 0.0
        self.answers = self.refusals = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.servers = [SimulatedServer(self, at_once, queue) for _ in range(SERVERS)]
        for number in range(processes):
            # All but the first leave at that time.
            process = Process(self, window(), until=leave_at if number else SIMULATED)
            self.at(self.random.uniform(0, 2), process.step)

    def at(self, when: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), event))

    def run(self, since: float = WARM_UP) -> tuple[float, float]:
        """Return answers a second from a time on, and refusals for each answer."""
        counted = False
        while self._events and self._events[0][0] < SIMULATED:
            self.now, _, event = heapq.heappop(self._events)
            if self.now >= since and not counted:
                self.answers = self.refusals = 0
                counted = True
            event()
        return self.answers / (SIMULATED - since), self.refusals / max(1, self.answers)


class SimulatedServer:
    def __init__(self, world: World, at_once: int, queue: int) -> None:
        self._world = world
        self._free = at_once
        self._queue = queue
        self._waiting: list[Callable[[bool], None]] = []

    def take(self, done: Callable[[bool], None]) -> None:
        world = self._world
        if self._free:
            self._free -= 1
            self._begin(done)
        elif len(self._waiting) < self._queue:
            self._waiting.append(done)
        else:
            world.refusals += 1
            world.at(world.now + 0.001, lambda: done(False))

    def _begin(self, done: Callable[[bool], None]) -> None:
        world = self._world
        world.at(world.now + world.random.uniform(0.08, 0.12), lambda: self._end(done))

    def _end(self, done: Callable[[bool], None]) -> None:
        world = self._world
        world.answers += 1
        world.at(world.now + 0.001, lambda: done(True))
        if self._waiting:
            self._begin(self._waiting.pop(0))
        else:
            self._free += 1


class Process:
    """One client's schedule, which always has another image to send."""

    def __init__(self, world: World, window: Window, until: float) -> None:
        self._world = world
        self._until = until
        contact = Contact(Retry(max_seconds=300), world.random.random, several=True)
        self._gate = contact.gate
        self._run: Run[Classification] = Run(
            read=_read,
            kind=Classification,
            capacity=Capacity(Limits(1, 2**20)),
            contact=contact,
            window=window,
            ordered=False,
        )
        self._images = itertools.count()
        self._server = world.random.randrange(SERVERS)

    def step(self) -> None:
        world, run, gate = self._world, self._run, self._gate
        if world.now >= self._until:
            return
        moved = True
        while moved:
            moved = False
            while (request := run.next_request(world.now)) is not None:
                gate.join(owner=request)
                moved = True
            while (turn := gate.next(world.now)) is not None:
                moved = True
                self._server = (self._server + 1) % SERVERS
                server = world.servers[self._server]

                def landed(ok: bool, turn: object = turn) -> None:
                    self._landed(turn, ok)

                def arrive(server: SimulatedServer = server, landed: Callable[[bool], None] = landed) -> None:
                    server.take(landed)

                world.at(world.now + 0.001, arrive)
            run.take_results()
            if run.wants_images:
                run.push(EncodedImage(next(self._images), "", b"x"), world.now)
                moved = True
        wake = min((at for at in (run.wake_at(), gate.wake_at()) if at is not None), default=None)
        if wake is not None and wake > world.now:
            world.at(wake + 1e-6, self.step)

    def _landed(self, turn: object, ok: bool) -> None:
        now = self._world.now
        if ok:
            self._gate.answered(turn, now)
            self._run.answered(turn.owner.number, b"", now)
        else:
            error = call_error(grpc.StatusCode.UNAVAILABLE, FULL, target="server", model="model m")
            if not self._gate.refused(turn, now, error):
                raise AssertionError("a request was given up")
        self.step()


def _read(_: bytes, images: Sequence[EncodedImage], seconds: float) -> Iterable[Classification]:
    return (Classification(source="", index=image.index, status=0, seconds=seconds) for image in images)


if __name__ == "__main__":
    main()
