"""Rows through Spark, Ray Data and Beam while workers and servers are killed: lost, doubled, wrong, and how fast.

    make bench-engines
    .venv/bin/python benchmarks/engines.py --rows 20000 --only spark

Rows are images of 2 kB, one in a hundred corrupt. Four scripted servers answer; every few seconds one of them is
killed and comes back a second later, and one worker process of the engine is killed. Beam's direct runner works in one
process, so that there only servers are killed. The rate is that of the job without the start of the engine, beside
`hubserve classify` on the same file with the same servers killed. An engine that cannot be installed is left out with
the reason.

A server takes `--images-per-second`, as one with a GPU does: it answers one request after the other, keeps 100 waiting,
and refuses the rest in TensorFlow Serving's words. The default, 300, is about what one RTX 3090 does with PNASNet-5
large: timm's table of August 2022 has 324 images/s at 331 x 331 (results/benchmark-infer-amp-nhwc-pt112-cu113-rtx3090
in huggingface/pytorch-image-models). With 0 the servers answer at once, and the processor that servers, engine and
client share is the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import machine
import options
from hubserve.testing import FakeServer, Fault, Request
from row import Figures, Row

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("spark", "ray", "beam")
SERVERS = 4
# Of hubserve's exports.
QUEUE = 100
FULL = "The batch scheduling queue to which this task was submitted is full"
# How worker processes of an engine are called.
WORKERS = {"spark": "pyspark.daemon", "ray": "ray::MapWorker", "beam": ""}
BYTES = 2000


def main() -> None:
    parser = options.parser(__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--only", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two kills")
    parser.add_argument(
        "--images-per-second", type=float, nargs="+", default=[300.0], help="what each server takes; 0: no limit"
    )
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        serve(*arguments.part)
        return
    print(machine.described())
    figures = Figures("engines", command=machine.command())
    with tempfile.TemporaryDirectory() as top:
        file = Path(top, "images.parquet")
        write(file, arguments.rows)
        for rate in arguments.images_per_second:
            load = Load(file, arguments.rows, arguments.every, rate)
            command = measured_command(load, Path(top, f"labels-{rate}.jsonl"), figures)
            for engine in arguments.only:
                measured(engine, load, Path(top, f"{engine}-{rate}"), command, figures)
    if arguments.json:
        figures.write(arguments.json)


@dataclass(frozen=True)
class Load:
    """Hold what every engine gets: rows in a file, servers of so many images a second, kills every few seconds."""

    file: Path
    rows: int
    every: float
    images_per_second: float

    def servers_in_words(self) -> str:
        return f"{SERVERS} servers of {self.images_per_second:g} images/s" if self.images_per_second else "no limit"


def measured_command(load: Load, output: Path, figures: Figures) -> float:
    """Return the rows a second of `hubserve classify`."""
    with servers(load.images_per_second) as pool, killing(pool, None, "", load.every) as killed:
        began = time.perf_counter()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "hubserve", "classify", str(load.file), "--column", "bytes", "--id-column"),
                *("id", "--server", f"ipv4:{pool.targets}", "--model", "m", "--top-k", "1"),
                *("--output", str(output), "--quiet"),
            ],
            check=False,
        )
        rate = load.rows / (time.perf_counter() - began)
    if done.returncode not in (0, 3):
        sys.exit(f"hubserve classify ended with {done.returncode}")
    found = Counter()
    for line in output.read_text().splitlines():
        record = json.loads(line)
        label = record["classes"][0]["label"] if record["classes"] else None
        found[int(record["source"].rpartition("#")[2]), label] += 1
    judge("hubserve classify", load, found, rate, rate, killed, figures)
    return rate


def measured(engine: str, load: Load, output: Path, command: float, figures: Figures) -> None:
    import pyarrow.dataset as dataset

    made = subprocess.run(
        [ROOT / "scripts" / "engine-environment", engine], capture_output=True, text=True, check=False
    )
    if made.returncode:
        what = f"{engine}, {load.servers_in_words()}, rows/s against hubserve classify"
        figures.add(Row(what, [], at_least=0.8, reason=made.stderr.strip()))
        return
    python = str(ROOT / ".engines" / engine / "bin" / "python")
    program = [python, str(Path(__file__).with_name("engine_programs.py")), engine, str(load.file), str(output)]
    with servers(load.images_per_second) as pool:
        job = subprocess.Popen([*program, pool.targets], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with killing(pool, job.pid, WORKERS[engine], load.every) as killed:
            said, errors = job.communicate()
    if job.returncode:
        sys.exit(f"{engine} ended with {job.returncode}: {errors[-3000:]}")
    rate = load.rows / float(said.splitlines()[-1])
    table = dataset.dataset(output, format="parquet").to_table(columns=["id", "label"])
    found = Counter(zip(table.column("id").to_pylist(), table.column("label").to_pylist(), strict=True))
    judge(engine, load, found, rate, command, killed, figures)


def judge(
    engine: str,
    load: Load,
    found: Counter[tuple[int, str | None]],
    rate: float,
    command: float,
    killed: Counter[str],
    figures: Figures,
) -> None:
    ids = Counter(number for number, _ in found.elements())
    wrong = sum(label != expected(number) for number, label in found)
    what = f"{engine}, {load.servers_in_words()}"
    about = f"{what}, {killed['servers']} servers and {killed['workers']} workers killed"
    figures.add(Row(f"{about}, rows lost", [load.rows - len(ids)], unit="rows", at_most=0))
    figures.add(Row(f"{about}, rows doubled", [sum(ids.values()) - len(ids)], unit="rows", at_most=0))
    figures.add(Row(f"{about}, rows answered wrongly", [wrong], unit="rows", at_most=0))
    figures.add(Row(f"{what}, rows/s", [rate], unit="rows/s"))
    if engine in ENGINES:
        # Without a limit the engine and the servers take the processor from one another.
        least = 0.8 if load.images_per_second else None
        figures.add(Row(f"{what}, rows/s against hubserve classify", [rate / command], at_least=least))


def expected(number: int) -> str | None:
    return None if number % 100 == 3 else f"image {number}"


def write(file: Path, rows: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    filling = os.urandom(BYTES)
    schema = pa.schema([("id", pa.int64()), ("bytes", pa.binary())])
    with parquet.ParquetWriter(file, schema, compression="none") as writer:
        for start in range(0, rows, 1000):
            numbers = range(start, min(start + 1000, rows))
            images = [b"corrupt" if number % 100 == 3 else b"image %d|" % number + filling for number in numbers]
            writer.write_table(pa.table([numbers, images], schema=schema))


class Paced:
    """Answer one request after the other, each after the time that its images take."""

    def __init__(self, images_per_second: float) -> None:
        self._rate = images_per_second
        self._lock = threading.Lock()
        self._waiting = 0
        self._free_at = 0.0

    def __call__(self, request: Request) -> None:
        with self._lock:
            if self._waiting > QUEUE:
                raise Fault("UNAVAILABLE", FULL)
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + len(request.images) / self._rate
            seconds = self._free_at - now
            self._waiting += 1
        time.sleep(seconds)
        with self._lock:
            self._waiting -= 1


def serve(port: str, images_per_second: str) -> None:
    """Be one scripted server until the process is killed."""

    def classify(image: bytes) -> dict[str, float] | int:
        return 1 if image == b"corrupt" else {image.partition(b"|")[0].decode(): 0.9}

    before = Paced(float(images_per_second)) if float(images_per_second) else None
    with FakeServer(classify, port=int(port), before=before, threads=QUEUE):
        print("ready", flush=True)
        signal.pause()


class Pool:
    """Four servers, each in a process of its own, on ports that stay."""

    def __init__(self, images_per_second: float) -> None:
        self._rate = str(images_per_second)
        self._ports = [free_port() for _ in range(SERVERS)]
        self.targets = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        self._processes = [self._start(port) for port in self._ports]
        for process in self._processes:
            process.stdout.readline()

    def _start(self, port: int) -> subprocess.Popen[str]:
        command = [sys.executable, __file__, "--part", str(port), self._rate]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def kill(self, place: int) -> None:
        self._processes[place].kill()
        self._processes[place].wait()

    def restart(self, place: int) -> None:
        """Start a server again, and wait until it answers."""
        self._processes[place] = self._start(self._ports[place])
        self._processes[place].stdout.readline()

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
        for process in self._processes:
            process.kill()
            process.wait()


@contextmanager
def servers(images_per_second: float):
    pool = Pool(images_per_second)
    try:
        yield pool
    finally:
        pool.close()


@contextmanager
def killing(pool: Pool, job: int | None, worker: str, every: float):
    """Kill a server and a worker every few seconds; gives what was killed."""
    over = threading.Event()
    killed: Counter[str] = Counter()

    def run() -> None:
        place = 0
        # Since when a worker is seen to be connected. One that is killed while it starts shows nothing.
        since: dict[int, float] = {}
        while not over.wait(every):
            now = time.monotonic()
            workers = workers_of(job, worker) if worker and job is not None else []
            since = {each: since.get(each, now) for each in workers if pool.serves(each)}
            if since and now - min(since.values()) >= every:
                # It may have ended meanwhile.
                with suppress(ProcessLookupError):
                    os.kill(min(since, key=since.__getitem__), signal.SIGKILL)
                    killed["workers"] += 1
            pool.kill(place)
            killed["servers"] += 1
            over.wait(1)
            pool.restart(place)
            place = (place + 1) % SERVERS

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def workers_of(job: int, name: str) -> list[int]:
    """Return the worker processes among the descendants of a process."""
    parents, names = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                names[int(folder.name)] = (
                    (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
            except (OSError, ValueError):
                continue

    def below(process: int) -> bool:
        while process in parents and process != job:
            process = parents[process]
        return process == job

    found = [process for process in parents if name in names.get(process, "") and below(process)]
    # Spark's daemon forks its workers, and is none itself.
    return [process for process in found if "ray::" in name or parents[process] in found]


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


if __name__ == "__main__":
    main()
