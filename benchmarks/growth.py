"""Measure how cost grows with the number of replicas, the batch, the size of images and their number.

    .venv/bin/python benchmarks/growth.py

Replicas are server processes that answer one request at a time and take 100 ms for it, as one GPU would. Each measured
throughput is compared with the throughput that `benchmarks/capacity.py` predicts.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import client
import machine
import options
from capacity import Stage, bottleneck
from row import Figures, Plot, Row

SECONDS = 0.1
BATCH = 8
IMAGE_BYTES = 20_000
# Requests for each replica, two at a time: one is answered while the next is sent.
REQUESTS = 5 if client.QUICK in os.environ else 30
REPLICAS = (1, 2, 4, 8, 16, 32, 64)
BATCHES = (1, 4, 16, 64, 256)
KILOBYTES = (10, 100, 1000)
# In requests of 250 images.
IMAGES = (250, 10_000, 100_000, 1_000_000)


def main() -> None:
    parser = options.parser(__doc__, rounds=3, quick="one round, up to 2 replicas and 100,000 images")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        client.answer(PARTS, arguments.part)
        return
    if arguments.quick:
        os.environ[client.QUICK] = "1"
    print(machine.described())
    figures, quick = Figures("growth", command=machine.command()), arguments.quick
    rounds = 1 if quick else arguments.rounds
    replicas(figures, REPLICAS[:2] if quick else REPLICAS)
    batches(figures, BATCHES[:2] if quick else BATCHES, rounds)
    sizes(figures, KILOBYTES[:2] if quick else KILOBYTES, rounds)
    images(figures, IMAGES[:3] if quick else IMAGES)
    if arguments.json:
        figures.write(arguments.json)


def replicas(figures: Figures, counts: Sequence[int]) -> None:
    """Measure throughput, and processor time on both sides, against the number of replicas."""
    measured, predicted, cpu = [], [], []
    for count in counts:
        with ExitStack() as stack:
            servers = [stack.enter_context(client.started("busy", "1", str(SECONDS), str(BATCH))) for _ in range(count)]
            before = sum(_cpu(server.pid) for server in servers)
            found = client.part("spread", *(server.target for server in servers), program=__file__)
            answered = (sum(_cpu(server.pid) for server in servers) - before) / found["images"]
        stages = [
            Stage("replicas", count * BATCH, SECONDS),
            Stage("the client, of one core", 1, found["cpu"]),
            Stage("this machine, which runs all", os.cpu_count() or 1, found["cpu"] + answered),
        ]
        first = bottleneck(stages)
        measured.append((count, found["rate"]))
        predicted.append((count, first.images_per_second))
        cpu.append((count, found["cpu"] * 1e6))
        what = f"{count} replica{'s' * (count > 1)}: throughput against the capacity model (first: {first.name})"
        figures.add(Row(what, [found["rate"] / first.images_per_second]))
    figures.plots += [
        Plot("replicas", "replicas", "images/s", {"measured": measured, "capacity model": predicted}, log="xy"),
        Plot("processor time of the client, with replicas", "replicas", "us an image", {"client": cpu}, log="x"),
    ]


def batches(figures: Figures, counts: Sequence[int], rounds: int) -> None:
    """Measure the processor time of the client for an image, against images in a request."""
    with ExitStack() as stack:
        parts = [["batch", stack.enter_context(client.serving("constant", str(count))), str(count)] for count in counts]
        found = client.interleaved(rounds, *parts, program=__file__)
    line = []
    for count, measured in zip(counts, found, strict=True):
        values = [figure["cpu"] / count * 1e6 for figure in measured]
        figures.add(Row(f"batch of {count}: client CPU for an image of 20 kB", values, unit="us"))
        line.append((count, statistics.median(values)))
    figures.plots.append(Plot("images in a request", "images", "us of client CPU an image", {"client": line}, log="xy"))


def sizes(figures: Figures, kilobytes: Sequence[int], rounds: int) -> None:
    """Measure the processor time of the client for a byte, against the size of an image."""
    with client.serving("constant", str(BATCH)) as target:
        parts = [["size", target, str(size)] for size in kilobytes]
        found = client.interleaved(rounds, *parts, program=__file__)
    line = []
    for size, measured in zip(kilobytes, found, strict=True):
        values = [figure["cpu"] / BATCH * 1e6 for figure in measured]
        figures.add(Row(f"image of {size} kB, batch of {BATCH}: client CPU for an image", values, unit="us"))
        line.append((size, statistics.median(values)))
    figures.plots.append(Plot("size of an image", "kB", "us of client CPU an image", {"client": line}, log="xy"))


def images(figures: Figures, counts: Sequence[int]) -> None:
    """Measure the peak memory of the client, against the number of images."""
    with client.serving("constant", "250") as target:
        found = [client.part("many", target, str(count), program=__file__) for count in counts]
    megabytes = [figure["megabytes"] for figure in found]
    for count, figure in zip(counts, found, strict=True):
        figures.add(Row(f"{count:,} images of 1 kB: peak memory of the client", [figure["megabytes"]], unit="MB"))
    memory = list(zip(counts, megabytes, strict=True))
    grown = megabytes[-1] / megabytes[1]
    figures.add(Row(f"peak memory, {counts[-1]:,} images against {counts[1]:,}", [grown], at_most=1.1))
    figures.plots.append(Plot("memory", "images", "MB at the peak", {"client": memory}, log="x"))


def part_spread(*targets: str) -> dict[str, float]:
    from hubserve import Client

    count = REQUESTS * BATCH * len(targets)
    image = os.urandom(IMAGE_BYTES)
    with Client(targets, model="m", concurrency=2 * len(targets), max_batch_size=BATCH) as served:
        list(served.classify([image] * BATCH * len(targets)))
        before, started = time.process_time(), time.perf_counter()
        assert all(result.ok for result in served.classify(image for _ in range(count)))  # noqa: S101
        seconds, cpu = time.perf_counter() - started, time.process_time() - before
    return {"rate": count / seconds, "cpu": cpu / count, "images": count + BATCH * len(targets)}


def part_batch(target: str, count: str) -> dict[str, float]:
    return _requests(target, int(count), IMAGE_BYTES)


def part_size(target: str, kilobytes: str) -> dict[str, float]:
    return _requests(target, BATCH, int(kilobytes) * 1000)


def _requests(target: str, batch: int, size: int) -> dict[str, float]:
    from hubserve import Client

    request = [os.urandom(size)] * batch
    with Client(target, model="m", concurrency=1, max_batch_size=batch) as served:
        return client.measured(lambda: list(served.classify(request)))


def part_many(target: str, count: str) -> dict[str, float]:
    from hubserve import Client

    with Client(target, model="m", concurrency=4, max_batch_size=250) as served:
        # The server answers 250 rows, whatever it gets.
        images = (b"%1000d" % number for number in range(int(count)))
        assert all(result.ok for result in served.classify(images))  # noqa: S101
    return {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _cpu(process: int) -> float:
    """Return the seconds that the process has computed, on Linux (proc(5): utime and stime are fields 14 and 15)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


PARTS: dict[str, Callable[..., dict[str, float]]] = {
    "spread": part_spread,
    "batch": part_batch,
    "size": part_size,
    "many": part_many,
}

if __name__ == "__main__":
    main()
