"""Rows through Spark, Ray Data and Beam while workers and servers are killed: lost, doubled, wrong, and how fast.

    make bench-engines
    .venv/bin/python benchmarks/engines.py --rows 20000 --only spark

Rows are images of 2 kB, one in a hundred corrupt. Four scripted servers answer; every few seconds one of them is
killed and comes back a second later, and one worker process of the engine is killed. Beam's direct runner works in one
process, so that there only servers are killed. The rate is that of the job without the start of the engine, beside
`hubserve classify` on the same file with the same servers killed. An engine that cannot be installed is left out with
the reason.
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
from contextlib import contextmanager
from pathlib import Path

import machine
from row import Figures, Row

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("spark", "ray", "beam")
SERVERS = 4
# A worker lives so long at least: one that is killed while it starts shows nothing.
SPARED_SECONDS = 20.0
# How worker processes of an engine are called.
WORKERS = {"spark": "pyspark.daemon", "ray": "ray::MapWorker", "beam": ""}
BYTES = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--only", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two kills")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
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
        command = measured_command(file, Path(top), arguments.rows, arguments.every, figures)
        for engine in arguments.only:
            measured(engine, file, Path(top, engine), arguments.rows, arguments.every, command, figures)
    if arguments.json:
        figures.write(arguments.json)


def measured_command(file: Path, top: Path, rows: int, every: float, figures: Figures) -> float:
    """Return the rows a second of `hubserve classify`."""
    output = top / "labels.jsonl"
    with servers() as pool, killing(pool, None, "", every) as killed:
        began = time.perf_counter()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "hubserve", "classify", str(file), "--column", "bytes", "--id-column", "id"),
                *(
                    "--server",
                    f"ipv4:{pool.targets}",
                    "--model",
                    "m",
                    "--top-k",
                    "1",
                    "--output",
                    str(output),
                    "--quiet",
                ),
            ],
            check=False,
        )
        rate = rows / (time.perf_counter() - began)
    if done.returncode not in (0, 3):
        sys.exit(f"hubserve classify ended with {done.returncode}")
    found = Counter()
    for line in output.read_text().splitlines():
        record = json.loads(line)
        label = record["classes"][0]["label"] if record["classes"] else None
        found[int(record["source"].rpartition("#")[2]), label] += 1
    judge("hubserve classify", found, rows, rate, rate, killed, figures)
    return rate


def measured(engine: str, file: Path, output: Path, rows: int, every: float, command: float, figures: Figures) -> None:
    import pyarrow.dataset as dataset

    made = subprocess.run(
        [ROOT / "scripts" / "engine-environment", engine], capture_output=True, text=True, check=False
    )
    if made.returncode:
        figures.add(Row(f"{engine}, rows/s against hubserve classify", [], at_least=0.8, reason=made.stderr.strip()))
        return
    python = str(ROOT / ".engines" / engine / "bin" / "python")
    program = [python, str(Path(__file__).with_name("engine_programs.py")), engine, str(file), str(output)]
    with servers() as pool:
        job = subprocess.Popen([*program, pool.targets], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with killing(pool, job.pid, WORKERS[engine], every) as killed:
            said, errors = job.communicate()
    if job.returncode:
        sys.exit(f"{engine} ended with {job.returncode}: {errors[-3000:]}")
    rate = rows / float(said.splitlines()[-1])
    table = dataset.dataset(output, format="parquet").to_table(columns=["id", "label"])
    found = Counter(zip(table.column("id").to_pylist(), table.column("label").to_pylist(), strict=True))
    judge(engine, found, rows, rate, command, killed, figures)


def judge(
    what: str,
    found: Counter[tuple[int, str | None]],
    rows: int,
    rate: float,
    command: float,
    killed: Counter[str],
    figures: Figures,
) -> None:
    ids = Counter(number for number, _ in found.elements())
    wrong = sum(label != expected(number) for number, label in found)
    about = f"{what}, {killed['servers']} servers and {killed['workers']} workers killed"
    figures.add(Row(f"{about}, rows lost", [rows - len(ids)], unit="rows", at_most=0))
    figures.add(Row(f"{about}, rows doubled", [sum(ids.values()) - len(ids)], unit="rows", at_most=0))
    figures.add(Row(f"{about}, rows answered wrongly", [wrong], unit="rows", at_most=0))
    figures.add(Row(f"{what}, rows/s", [rate], unit="rows/s"))
    figures.add(Row(f"{what}, rows/s against hubserve classify", [rate / command], at_least=0.8))


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


def serve(port: str) -> None:
    """Be one scripted server until the process is killed."""
    from hubserve.testing import FakeServer

    def classify(image: bytes) -> dict[str, float] | int:
        return 1 if image == b"corrupt" else {image.partition(b"|")[0].decode(): 0.9}

    with FakeServer(classify, port=int(port)):
        print("ready", flush=True)
        signal.pause()


class Pool:
    """Four servers, each in a process of its own, on ports that stay."""

    def __init__(self) -> None:
        self._ports = [free_port() for _ in range(SERVERS)]
        self.targets = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        self._processes = [self._start(port) for port in self._ports]
        for process in self._processes:
            process.stdout.readline()

    def _start(self, port: int) -> subprocess.Popen[str]:
        command = [sys.executable, __file__, "--part", str(port)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def kill(self, place: int) -> None:
        self._processes[place].kill()
        self._processes[place].wait()

    def restart(self, place: int) -> None:
        self._processes[place] = self._start(self._ports[place])

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


@contextmanager
def servers():
    pool = Pool()
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
        seen: dict[int, float] = {}
        while not over.wait(every):
            pool.kill(place)
            killed["servers"] += 1
            now = time.monotonic()
            for each in workers_of(job, worker) if worker and job is not None else ():
                if now - seen.setdefault(each, now) >= SPARED_SECONDS:
                    os.kill(each, signal.SIGKILL)
                    killed["workers"] += 1
                    break
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


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
