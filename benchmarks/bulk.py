"""Measure what `hubserve classify` costs beside the library on the same images: finding them, records, memory.

    .venv/bin/python benchmarks/bulk.py

Each figure is a ratio between things measured in turn in one run, each in a fresh process against a server in another.
Images are 20 kB and the server answers at once, so that nothing hides what the client side costs.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import machine
import options
from client import answer, interleaved, ratios, serving
from row import Figures, Row

BYTES = 20_000
IMAGES = 19_200
QUICK_IMAGES = 640
FORMATS = ("jsonl", "csv", "parquet")


def main() -> None:
    parser = options.parser(__doc__, rounds=3, quick="one round, few images")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        answer(PARTS, arguments.part)
        return
    print(machine.described())
    figures = Figures("bulk", command=machine.command())
    count = QUICK_IMAGES if arguments.quick else IMAGES
    with (
        serving("constant", program=str(Path(__file__).with_name("client.py"))) as target,
        tempfile.TemporaryDirectory() as top,
    ):
        few, many = album(Path(top, "few"), count), album(Path(top, "many"), 5 * count)
        records(figures, target, few, 1 if arguments.quick else arguments.rounds)
        memory(figures, target, few, many)
    if arguments.json:
        figures.write(arguments.json)


def records(figures: Figures, target: str, folder: Path, rounds: int) -> None:
    parts = (["command", target, str(folder), form] for form in FORMATS)
    library, *found = interleaved(rounds, ["library", target, str(folder)], *parts, program=__file__)
    for form, ours in zip(FORMATS, found, strict=True):
        what = f"hubserve classify --output results.{form} against client.classify on the same folder"
        # Parquet is made from the JSON lines at the end: that takes extra time, however fast the server is.
        least = None if form == "parquet" else 0.8
        figures.add(Row(f"{what}, images/s", ratios(ours, library, "rate"), at_least=least))
        figures.add(Row(f"{what}, processor time", ratios(ours, library, "cpu")))


def memory(figures: Figures, target: str, few: Path, many: Path) -> None:
    one, ten = interleaved(
        1, ["command", target, str(few), "jsonl"], ["command", target, str(many), "jsonl"], program=__file__
    )
    what = "hubserve classify --output results.jsonl, peak memory, five times the images against once"
    figures.add(Row(what, ratios(ten, one, "megabytes"), at_most=1.3))


def album(folder: Path, count: int) -> Path:
    """Make that many images in folders of a thousand; they are hard links to 32 files."""
    originals = folder / "originals"
    originals.mkdir(parents=True)
    for number in range(32):
        (originals / str(number)).write_bytes(os.urandom(BYTES))
    for number in range(count):
        link = folder / f"{number // 1000:04}" / f"{number:07}.jpg"
        link.parent.mkdir(exist_ok=True)
        os.link(originals / str(number % 32), link)
    return folder


def part_library(target: str, folder: str) -> dict[str, float]:
    from hubserve import Client

    begun = time.perf_counter(), time.process_time()
    with Client(target, model="m", concurrency=2) as client:
        paths = (os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names if "." in name)
        count = sum(result.ok for result in client.classify(paths))
    return figure(count, *begun)


def part_command(target: str, folder: str, form: str) -> dict[str, float]:
    import contextlib

    # Imported first, because importing is not to be measured.
    import pyarrow.parquet  # noqa: F401

    from hubserve_cli import classify  # noqa: F401
    from hubserve_cli.main import main as hubserve

    count = sum(len(names) for _, _, names in os.walk(folder)) - 32
    with tempfile.TemporaryDirectory() as results:
        arguments = ["classify", folder, "--server", target, "--model", "m", "--concurrency", "2", "--quiet"]
        begun = time.perf_counter(), time.process_time()
        with contextlib.suppress(SystemExit):
            hubserve([*arguments, "--output", f"{results}/results.{form}"])
        found = figure(count, *begun)
        assert Path(results, f"results.{form}").stat().st_size > count  # noqa: S101
    return found


def figure(count: int, seconds: float, cpu: float) -> dict[str, float]:
    return {
        "rate": count / (time.perf_counter() - seconds),
        "cpu": (time.process_time() - cpu) / count,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


PARTS = {"library": part_library, "command": part_command}

if __name__ == "__main__":
    main()
