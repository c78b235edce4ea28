"""A bulk classification while servers and the run itself are killed, stopped, slowed and refused: every answer comes.

    PYTHONPATH=tests python -m trust.chaos --images 20000 --faults 80 --seed 1

Three servers on this machine; `hubserve classify --output --resume` over a folder. Each fault comes when the run has
got so far, in an order that the seed makes, and is lifted some seconds later. Ends with 1 unless every image has
exactly one answer, and the right one.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from support import image_files
from trust.chaos_server import answer

SERVERS = 3
MODEL = "chaos"
# The client gives a request up after so long; a stopped server is left so for longer: its requests go elsewhere.
_TIMEOUT = 3.0
_STOPPED = 4.0
_GONE = 1.0
# A run that has not ended by then has hung.
PATIENCE = 1800.0
_POLL = 0.05
# What befalls a run, and how often in comparison.
FAULTS = {
    "server killed": 5,
    "server stopped": 4,
    "server slow": 4,
    "server says UNAVAILABLE": 4,
    "server says RESOURCE_EXHAUSTED": 4,
    "all servers killed": 1,
    "client killed": 2,
    "client asked to end": 1,
}


@dataclass
class Outcome:
    """The outcome of a run: the images by their fate, and the faults by their kind."""

    images: int
    answered: int = 0
    missing: int = 0
    twice: int = 0
    wrong: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    client_runs: int = 0
    packets: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def whole(self) -> bool:
        """True if every image has one answer, and the right one."""
        return self.answered == self.images and not (self.missing or self.twice or self.wrong)

    def __str__(self) -> str:
        faults = "\n".join(f"  {count:4} x {name}" for name, count in sorted(self.faults.items()))
        packets = "".join(f"packets {what}: {count:,}\n" for what, count in self.packets.items())
        return (
            f"{faults}\n{packets}faults survived: {self.faults.total()}, the client started {self.client_runs} times, "
            f"{self.seconds:.0f} s\nimages: {self.images:,}, answered once and rightly: {self.answered:,}, "
            f"lost: {self.missing}, answered twice: {self.twice}, answered wrongly: {self.wrong}"
        )


class Server:
    """One server process, always on the same port."""

    def __init__(self) -> None:
        self._port = 0
        self.start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Starts it, where it was killed."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "trust.chaos_server", str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if not self._port:
            assert self._process.stdout is not None
            self._port = int(self._process.stdout.readline().rpartition(":")[2])

    def order(self, what: str, times: int) -> None:
        """Tells it what to do with its next requests; where it is dead, nothing happens."""
        assert self._process.stdin is not None
        # A killed server's pipe is broken, or closed by now.
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(f"{what} {times}\n")
            self._process.stdin.flush()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


class Classify:
    """The command, started again each time that it was ended."""

    def __init__(
        self,
        folder: Path,
        output: Path,
        targets: Sequence[str],
        *,
        before: Sequence[str] = (),
        patience: float = _TIMEOUT,
    ) -> None:
        servers = [part for target in targets for part in ("--server", target)]
        options = ["--model", MODEL, "--batch-size", "8", "--timeout", str(patience), "--top-k", "1", "--quiet"]
        self._command = [*before, sys.executable, "-m", "hubserve", "classify", str(folder), *servers, *options]
        self._command += ["--output", str(output), "--resume"]
        self.starts = 0
        self.start()

    def start(self) -> None:
        self.starts += 1
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)
        self._process.wait(120)

    def ended(self) -> int | None:
        return self._process.poll()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@dataclass
class _Impairment:
    """A fault that has begun, with the way to end it, and its latest end."""

    lift: Callable[[], None]
    until: float


def write_images(folder: Path, count: int) -> dict[str, str]:
    """Small PNG files, no two alike: gives the right label of each by its path."""
    right = {}
    for number in range(count):
        pixels = np.frombuffer(number.to_bytes(48, "big"), np.uint8).reshape(4, 4, 3)
        data = image_files.png(pixels, 2)
        path = folder / f"{number // 1000:03}" / f"{number:06}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        ((right[str(path)], _),) = answer(data).items()
    return right


def schedule(images: int, faults: int, seed: int) -> list[tuple[int, str, int]]:
    """Return the faults: the number of images done before each, its kind, and its server."""
    chance = random.Random(seed)  # noqa: S311 - to be repeatable
    names = chance.choices(list(FAULTS), list(FAULTS.values()), k=faults)
    return [
        (images * number // (faults + 1), name, chance.randrange(SERVERS)) for number, name in enumerate(names, start=1)
    ]


class _Chaos:
    """Brings the faults about, and lifts them."""

    def __init__(self, servers: Sequence[Server], client: Classify) -> None:
        self._servers = servers
        self._client = client
        self._under_way: dict[int, _Impairment] = {}

    def bring(self, name: str, which: int) -> None:
        server = self._servers[which]
        match name:
            case "server killed":
                self._kill(which)
            case "all servers killed":
                for each in range(SERVERS):
                    self._kill(each)
            case "server stopped":
                self._lift(which)
                server.signal(signal.SIGSTOP)
                self._under_way[which] = _Impairment(lambda: server.signal(signal.SIGCONT), _in(_STOPPED))
            case "server slow":
                server.order("0.3", 10)
            case "client killed":
                self._client.signal(signal.SIGKILL)
                self._client.start()
            case "client asked to end":
                self._client.signal(signal.SIGTERM)
                self._client.start()
            case _:
                server.order(name.rpartition(" ")[2], 15)

    def lift_due(self) -> None:
        now = time.monotonic()
        for which in [which for which, impairment in self._under_way.items() if now >= impairment.until]:
            self._lift(which)

    def lift_all(self) -> None:
        for which in list(self._under_way):
            self._lift(which)

    def _kill(self, which: int) -> None:
        self._lift(which)
        self._servers[which].kill()
        self._under_way[which] = _Impairment(self._servers[which].start, _in(_GONE))

    def _lift(self, which: int) -> None:
        if (impairment := self._under_way.pop(which, None)) is not None:
            impairment.lift()


def _in(seconds: float) -> float:
    return time.monotonic() + seconds


def run(*, images: int, faults: int, seed: int, folder: Path) -> Outcome:
    """Runs it all in an empty folder.

    Raises:
        TimeoutError: The run hung.
    """
    started = time.monotonic()
    (folder / "images").mkdir()
    right = write_images(folder / "images", images)
    outcome = Outcome(images)
    output = folder / "answers.jsonl"
    with ExitStack() as stack:
        servers = []
        for _ in range(SERVERS):
            servers.append(Server())
            stack.callback(servers[-1].kill)
        client = Classify(folder / "images", output, [server.target for server in servers])
        stack.callback(client.kill)
        chaos = _Chaos(servers, client)
        # Killed stopped processes end all the same; started ones must be known before they can be ended.
        stack.callback(chaos.lift_all)
        to_come = schedule(images, faults, seed)
        while True:
            done = lines(output)
            while to_come and done >= to_come[0][0]:
                _, name, which = to_come.pop(0)
                chaos.bring(name, which)
                outcome.faults[name] += 1
                # One at a time, unless the run has got further meanwhile.
                done = lines(output)
            chaos.lift_due()
            if (code := client.ended()) is not None:
                if code == 0:
                    break
                # 1: some images got no answer, and are asked for again.
                assert code == 1, f"hubserve classify ended with {code}"
                client.start()
            if time.monotonic() - started > PATIENCE:
                raise TimeoutError(f"{done} of {images} images after {PATIENCE:g} s")
            time.sleep(_POLL)
        outcome.client_runs = client.starts
    judge(outcome, right, output)
    outcome.seconds = time.monotonic() - started
    return outcome


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def judge(outcome: Outcome, right: dict[str, str], output: Path) -> None:
    """Holds the file of records against the right answers."""
    records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    times = Counter(os.path.abspath(record["source"]) for record in records)
    outcome.missing = sum(source not in times for source in right)
    outcome.twice = sum(count > 1 for count in times.values())
    for record in records:
        label = record["classes"][0]["label"] if record["classes"] else None
        if label == right.get(os.path.abspath(record["source"])):
            outcome.answered += 1
        else:
            outcome.wrong += 1


def main() -> int:
    """Runs it, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--faults", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        outcome = run(
            images=arguments.images, faults=arguments.faults, seed=arguments.seed, folder=Path(folder).resolve()
        )
    print(outcome)
    return 0 if outcome.whole else 1


if __name__ == "__main__":
    sys.exit(main())
