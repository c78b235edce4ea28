"""Rows through Spark, Ray Data and Beam while workers and servers are killed: lost, doubled, wrong, and how fast.

    make bench-engines
    .venv/bin/python benchmarks/engines.py --rows 20000 --only spark

Rows are images of 2 kB, one in a hundred corrupt. Four scripted servers answer; every few seconds one of them is
killed and comes back a second later, and one worker process of the engine is killed. Beam's direct runner works in one
process, so that there only servers are killed. The rate is that of the job without the start of the engine, beside
`hubserve classify` on the same file with the same servers killed. An engine that cannot be installed is left out with
the reason.

Two figures tell where rows are lost. Servers answer more images than there are rows, because the tasks of killed
workers are repeated. And servers that run do not always work: at the start and the end of a job, and after kills.

A server takes `--images-per-second`, as one with a GPU does: it answers one request after the other, keeps 100 waiting,
and refuses the rest in TensorFlow Serving's words. The default, 300, is about what one RTX 3090 does with PNASNet-5
large: timm's table of August 2022 has 324 images/s at 331 x 331 (results/benchmark-infer-amp-nhwc-pt112-cu113-rtx3090
in huggingface/pytorch-image-models). With 0 the servers answer at once, and the processor that servers, engine and
client share is the limit.
"""

from __future__ import annotations

import json
import os
import signal
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
from engine_servers import SERVERS, Pool
from row import Figures, Row

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("spark", "ray", "beam")
# How worker processes of an engine are called.
WORKERS = {"spark": "daemon pyspark.worker", "ray": "ray::MapWorker", "beam": ""}
BYTES = 2000


def main() -> None:
    parser = options.parser(__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--only", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two kills")
    parser.add_argument(
        "--images-per-second", type=float, nargs="+", default=[300.0], help="what each server takes; 0: no limit"
    )
    arguments = parser.parse_args()
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


@dataclass(frozen=True)
class Run:
    """Hold what one job did: `found` counts the ids and labels in its output."""

    name: str
    found: Counter[tuple[int, str | None]]
    killed: Counter[str]
    rows_per_second: float
    images_answered: int
    # The share of their time that the servers worked, of those that ran. None: they work at once.
    busy: float | None


def measured_command(load: Load, output: Path, figures: Figures) -> float:
    """Return the rows a second of `hubserve classify`."""
    with servers(load, output) as pool, killing(pool, None, "", load.every) as killed:
        began = time.monotonic()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "hubserve", "classify", str(load.file), "--column", "bytes", "--id-column"),
                *("id", "--server", f"ipv4:{pool.targets}", "--model", "m", "--top-k", "1"),
                *("--output", str(output), "--quiet"),
            ],
            check=False,
        )
        ended = time.monotonic()
    if done.returncode not in (0, 3):
        sys.exit(f"hubserve classify ended with {done.returncode}")
    found = Counter()
    for line in output.read_text().splitlines():
        record = json.loads(line)
        label = record["classes"][0]["label"] if record["classes"] else None
        found[int(record["source"].rpartition("#")[2]), label] += 1
    run = run_of("hubserve classify", load, pool, found, killed, began, ended)
    judge(run, load, figures)
    return run.rows_per_second


def measured(engine: str, load: Load, output: Path, command: float, figures: Figures) -> None:
    import pyarrow.dataset as dataset

    made = subprocess.run(
        [ROOT / "scripts" / "engine-environment", engine], capture_output=True, text=True, check=False
    )
    what = f"{engine}, {load.servers_in_words()}, rows/s against hubserve classify"
    if made.returncode:
        figures.add(Row(what, [], at_least=0.8, reason=made.stderr.strip()))
        return
    python = str(ROOT / ".engines" / engine / "bin" / "python")
    program = [python, str(Path(__file__).with_name("engine_programs.py")), engine, str(load.file), str(output)]
    with servers(load, output) as pool:
        job = subprocess.Popen([*program, pool.targets], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with killing(pool, job.pid, WORKERS[engine], load.every) as killed:
            said, errors = job.communicate()
    if job.returncode:
        sys.exit(f"{engine} ended with {job.returncode}: {errors[-3000:]}")
    began, ended = map(float, said.splitlines()[-1].split())
    table = dataset.dataset(output, format="parquet").to_table(columns=["id", "label"])
    found = Counter(zip(table.column("id").to_pylist(), table.column("label").to_pylist(), strict=True))
    run = run_of(engine, load, pool, found, killed, began, ended)
    judge(run, load, figures)
    # Without a limit the engine and the servers take the processor from one another.
    least = 0.8 if load.images_per_second else None
    figures.add(Row(what, [run.rows_per_second / command], at_least=least))


def run_of(
    name: str,
    load: Load,
    pool: Pool,
    found: Counter[tuple[int, str | None]],
    killed: Counter[str],
    began: float,
    ended: float,
) -> Run:
    answered = pool.counts.all
    possible = pool.seconds_up(began, ended) * load.images_per_second
    busy = answered / possible if possible else None
    return Run(name, found, killed, load.rows / (ended - began), answered, busy)


def judge(run: Run, load: Load, figures: Figures) -> None:
    ids = Counter(number for number, _ in run.found.elements())
    wrong = sum(label != expected(number) for number, label in run.found)
    what = f"{run.name}, {load.servers_in_words()}"
    about = f"{what}, {run.killed['servers']} servers and {run.killed['workers']} workers killed"
    figures.add(Row(f"{about}, rows lost", [load.rows - len(ids)], unit="rows", at_most=0))
    figures.add(Row(f"{about}, rows doubled", [sum(ids.values()) - len(ids)], unit="rows", at_most=0))
    figures.add(Row(f"{about}, rows answered wrongly", [wrong], unit="rows", at_most=0))
    figures.add(Row(f"{what}, rows/s", [run.rows_per_second], unit="rows/s"))
    figures.add(
        Row(f"{what}, images that servers answered for a row", [run.images_answered / load.rows], unit="images")
    )
    if run.busy is not None:
        figures.add(Row(f"{what}, share of their time that running servers worked", [run.busy]))


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


@contextmanager
def servers(load: Load, output: Path):
    pool = Pool(load.images_per_second, output.with_name(f"{output.name}-counts"))
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


if __name__ == "__main__":
    main()
