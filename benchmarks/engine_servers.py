"""The scripted servers of `engines.py`: each in a process of its own, which can be killed and comes back.

A server counts the images that it has answered in a file that all of them map, so that the counts outlive the process.
"""

from __future__ import annotations

import math
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from hubserve.testing import FakeServer, Fault, Request

SERVERS = 4
# Of hubserve's exports.
QUEUE = 100
FULL = "The batch scheduling queue to which this task was submitted is full"


class Counts:
    """The images that each server has answered: `Counts(file)[0] += 32`; a new file has zeros."""

    def __init__(self, file: Path) -> None:
        with file.open("a+b") as opened:
            opened.truncate(8 * SERVERS)
            self._numbers = memoryview(mmap.mmap(opened.fileno(), 8 * SERVERS)).cast("Q")

    def __getitem__(self, place: int) -> int:
        return self._numbers[place]

    def __setitem__(self, place: int, number: int) -> None:
        self._numbers[place] = number

    @property
    def all(self) -> int:
        return sum(self._numbers)


class Paced:
    """Answer one request after the other, each after the time that its images take, and count the images.

    Args:
        images_per_second: What the server takes; 0: no limit.
        counts: Where the images are counted.
        place: Which of the servers it is.
    """

    def __init__(self, images_per_second: float, counts: Counts, place: int) -> None:
        self._rate = images_per_second
        self._counts = counts
        self._place = place
        self._lock = threading.Lock()
        self._waiting = 0
        self._free_at = 0.0

    def __call__(self, request: Request) -> None:
        seconds = 0.0
        with self._lock:
            if self._waiting > QUEUE:
                raise Fault("UNAVAILABLE", FULL)
            if self._rate:
                now = time.monotonic()
                self._free_at = max(self._free_at, now) + len(request.images) / self._rate
                seconds = self._free_at - now
            self._waiting += 1
        time.sleep(seconds)
        with self._lock:
            self._waiting -= 1
            self._counts[self._place] += len(request.images)


class Pool:
    """Four servers on ports that stay: `Pool(300.0, Path("counts"))`.

    Args:
        images_per_second: What each server takes; 0: no limit.
        file: For the counts.
    """

    def __init__(self, images_per_second: float, file: Path) -> None:
        self.images_per_second = images_per_second
        self.counts = Counts(file)
        self._file = file
        self._ports = [free_port() for _ in range(SERVERS)]
        self.targets = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        # Since when each server answers, on the monotonic clock, and from when to when those answered that were killed.
        self._since = [math.inf] * SERVERS
        self._lives: list[tuple[float, float]] = []
        self._processes = [self._start(place) for place in range(SERVERS)]
        for place in range(SERVERS):
            self._await(place)

    def _start(self, place: int) -> subprocess.Popen[str]:
        arguments = [str(self._ports[place]), str(self.images_per_second), str(self._file), str(place)]
        return subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True)

    def _await(self, place: int) -> None:
        self._processes[place].stdout.readline()
        self._since[place] = time.monotonic()

    def kill(self, place: int) -> None:
        self._lives.append((self._since[place], time.monotonic()))
        self._since[place] = math.inf
        # The block waits for its end, and closes its output.
        with self._processes[place] as process:
            process.kill()

    def restart(self, place: int) -> None:
        """Start a server again, and wait until it answers."""
        self._processes[place] = self._start(place)
        self._await(place)

    def seconds_up(self, began: float, ended: float) -> float:
        """Return how long the servers answered between two times of the monotonic clock, all together."""
        lives = [*self._lives, *((since, math.inf) for since in self._since)]
        return sum(max(0.0, min(last, ended) - max(first, began)) for first, last in lives)

    def serves(self, process: int) -> bool:
        """Tell whether a process is connected to one of the servers."""
        # gRPC also reaches an IPv4 address through a socket of IPv6.
        lines = [line for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
        established = "01"
        sockets = {
            f"socket:[{row[9]}]"
            for row in map(str.split, lines)
            if row[3] == established and int(row[2].rpartition(":")[2], 16) in self._ports
        }
        for each in files(process):
            # It may be closed meanwhile.
            with suppress(OSError):
                if os.readlink(each) in sockets:
                    return True
        return False

    def close(self) -> None:
        for place in range(SERVERS):
            self.kill(place)


def files(process: int) -> list[Path]:
    """Return the open files of a process; none if it has ended."""
    try:
        return list(Path(f"/proc/{process}/fd").iterdir())
    except OSError:
        return []


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def serve(port: str, images_per_second: str, file: str, place: str) -> None:
    """Be one scripted server until the process is killed."""

    def classify(image: bytes) -> dict[str, float] | int:
        return 1 if image == b"corrupt" else {image.partition(b"|")[0].decode(): 0.9}

    before = Paced(float(images_per_second), Counts(Path(file)), int(place))
    with FakeServer(classify, port=int(port), before=before, threads=QUEUE):
        print("ready", flush=True)
        signal.pause()


if __name__ == "__main__":
    serve(*sys.argv[1:])
