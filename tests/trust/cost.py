"""The most CPU time and memory that one image below a megabyte can cost, attacked with constructed worst cases.

    PYTHONPATH=tests python -m trust.cost
    PYTHONPATH=tests python -m trust.cost --only WebP

Every coding of `trust.costly` is tried in several shapes, from the largest image that the default of `--max-pixels`
allows downwards, until one is answered: that is the costliest of its kind. Prints what each format costs at most, and
ends with 1 where a figure is above its bound in docs/image-handling.md.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hubserve_export._preprocessing import DEFAULT_MAX_PIXELS
from support.decode_memory import ALLOCATOR
from trust.costly import COSTLY, SMALL_FILE

SIDE = 331
# The longest side that a format can say.
_LONGEST = {"JPEG": 65_500, "GIF": 65_535, "WebP": 16_383, "PNG": 1_000_000, "BMP": 1_000_000}
# Rows, or columns: as many as the model has, and so few that libjpeg does not scale while it decodes.
_SHAPES = {
    "square": None,
    "low": (None, 4 * SIDE - 1),
    "lowest": (None, SIDE),
    "narrow": (64, None),
}
_STEP = 0.93
_MAGICS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WebP"}


@dataclass(frozen=True)
class Bound:
    """The most that one file may cost: CPU seconds and MiB, and the same for each kilobyte of it."""

    seconds: float = 5.0
    memory: float = 300.0


BOUND = Bound()
# Lossless coding, of the image or of its alpha, may come with 65 536 groups of codes, which no header tells.
BOUNDS = {"WebP": Bound(memory=600.0)}


@dataclass(frozen=True)
class Cost:
    """Hold what an image cost: bytes of the file, CPU seconds, MiB."""

    coding: str
    shape: str
    width: int
    height: int
    octets: int
    seconds: float
    memory: float

    @property
    def form(self) -> str:
        """Its format."""
        return self.coding.partition(",")[0]

    @property
    def kilobytes(self) -> float:
        """A file below a kilobyte counts as one."""
        return max(1.0, self.octets / 1024)

    def above(self) -> bool:
        """Tell whether it costs more than its format may."""
        bound = BOUNDS.get(self.form, BOUND)
        return self.seconds > bound.seconds or self.memory > bound.memory


@dataclass
class Worst:
    """The most that files of one format were seen to cost: CPU seconds and MiB, of a file and of a kilobyte of it.

    A file below a kilobyte counts as one.
    """

    files: int = 0
    seconds: float = 0.0
    seconds_of_a_kilobyte: float = 0.0
    memory: float = 0.0
    memory_of_a_kilobyte: float = 0.0

    def add(self, octets: int, seconds: float, memory: float) -> None:
        """Count a file of so many bytes."""
        kilobytes = max(1.0, octets / 1024)
        self.files += 1
        self.seconds = max(self.seconds, seconds)
        self.seconds_of_a_kilobyte = max(self.seconds_of_a_kilobyte, seconds / kilobytes)
        self.memory = max(self.memory, memory)
        self.memory_of_a_kilobyte = max(self.memory_of_a_kilobyte, memory / kilobytes)


def worst_table(found: Mapping[str, Worst]) -> str:
    """The worst of each format, beside its bound."""
    rows = [f"{'':6}{'files':>9}{'CPU s':>8}{'CPU s/KB':>10}{'bound':>7}{'MiB':>8}{'MiB/KB':>8}{'bound':>7}"]
    for form, worst in sorted(found.items()):
        bound = BOUNDS.get(form, BOUND)
        rows.append(
            f"{form:6}{worst.files:>9,}{worst.seconds:>8.2f}{worst.seconds_of_a_kilobyte:>10.2f}{bound.seconds:>7g}"
            f"{worst.memory:>8.0f}{worst.memory_of_a_kilobyte:>8.0f}{bound.memory:>7g}"
        )
    return "\n".join(rows)


def form_of(data: bytes) -> str:
    """The format that the first bytes announce."""
    return next((form for magic, form in _MAGICS.items() if data.startswith(magic)), "none")


def sizes(coding: str, shape: str) -> Iterator[tuple[int, int]]:
    """Width and height, from the largest that the number of pixels allows downwards."""
    longest = _LONGEST[coding.partition(",")[0]]
    pixels = float(min(DEFAULT_MAX_PIXELS, COSTLY[coding].most_pixels))
    while pixels > 10_000:
        width, height = _SHAPES[shape] or (int(pixels**0.5), None)
        width = width or min(int(pixels / (height or 1)), longest)
        height = height or min(int(pixels / width), longest)
        yield width, height
        pixels = min(pixels, width * height) * _STEP


def costs(folder: Path, codings: Iterable[str], shapes: Iterable[str] = tuple(_SHAPES)) -> Iterator[Cost]:
    """Return what the costliest answered image of each coding and shape costs; each coding has a process of its own."""
    command = [sys.executable, "-m", "trust.cost_child", str(folder)]
    for coding in codings:
        child = subprocess.Popen(
            command,
            # Without it, the allocator keeps what an image takes.
            env={**os.environ, **ALLOCATOR},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with child:
            assert child.stdin is not None
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            for shape in shapes:
                for width, height in sizes(coding, shape):
                    print(json.dumps([coding, width, height]), file=child.stdin, flush=True)
                    found = json.loads(child.stdout.readline())
                    if found["status"] == 0 and found["octets"] <= SMALL_FILE:
                        memory = found["memory"] / 2**20
                        yield Cost(coding, shape, width, height, found["octets"], found["seconds"], memory)
                        break
            child.stdin.close()


def table(found: Iterable[Cost]) -> str:
    """The worst of each format: per file, and per kilobyte."""
    found = list(found)
    rows = [f"{'':6}{'CPU s':>8}{'CPU s/KB':>10}{'MiB':>8}{'MiB/KB':>8}   costliest in time; in memory"]
    for form in dict.fromkeys(cost.form for cost in found):
        its = [cost for cost in found if cost.form == form]
        slowest, largest = max(its, key=lambda cost: cost.seconds), max(its, key=lambda cost: cost.memory)
        rows.append(
            f"{form:6}{slowest.seconds:>8.2f}{max(cost.seconds / cost.kilobytes for cost in its):>10.2f}"
            f"{largest.memory:>8.0f}{max(cost.memory / cost.kilobytes for cost in its):>8.0f}   {_named(slowest)}; "
            f"{_named(largest)}"
        )
    return "\n".join(rows)


def _named(cost: Cost) -> str:
    return f"{cost.coding.partition(', ')[2] or 'plain'} {cost.width} x {cost.height} ({cost.octets / 1024:.1f} KB)"


def main() -> int:
    """Prints the figures."""
    from trust.pixels_model import export_pixels

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="try only codings whose name has this pattern")
    parser.add_argument("--model", type=Path, help="a version that was exported for it before")
    parser.add_argument("--shapes", nargs="*", default=list(_SHAPES), choices=list(_SHAPES))
    parser.add_argument("--each", action="store_true", help="print each coding and shape")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        model = arguments.model or export_pixels(Path(folder), SIDE, SIDE, DEFAULT_MAX_PIXELS)
        found = []
        for cost in costs(model, [name for name in COSTLY if re.search(arguments.only, name)], arguments.shapes):
            found.append(cost)
            if arguments.each or cost.above():
                mark = "above its bound: " if cost.above() else ""
                print(
                    f"{mark}{cost.coding}, {cost.shape}: {cost.seconds:.2f} CPU s, {cost.memory:.0f} MiB, "
                    f"{cost.width} x {cost.height}, {cost.octets / 1024:.1f} KB",
                    flush=True,
                )
    print(table(found))
    above = sum(cost.above() for cost in found)
    print(f"images tried: {len(found)}; above their bounds: {above}")
    return 1 if above else 0


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
