"""Measure how long `hubserve serve` takes from its start to the first answer, with and without warm-up.

    .venv/bin/python benchmarks/startup.py

efficientnet-lite0 in the embedded engine: the process starts, loads, warms up if the version has records for it, and
then answers. Without warm-up the first callers wait for the work that TensorFlow does once per shape, and per format.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from PIL import Image

import machine
from hubserve import Client
from row import Figures, Row, ratios
from serving import ROOT, export, serving

WARMUP = "assets.extra/tf_serving_warmup_requests"
STEADY = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=Path, metavar="DIR", help="where models are kept  [default: not at all]")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    print(machine.described())
    figures = Figures("startup", command=machine.command())
    with tempfile.TemporaryDirectory() as folder:
        warm, cold = (arguments.models or Path(folder)) / "lite0", Path(folder, "cold")
        if not warm.exists():
            export("lite0", warm)
        shutil.copytree(warm, cold, copy_function=os.symlink)
        (cold / "1" / WARMUP).unlink()
        found = [(started(warm), started(cold)) for _ in range(1 if arguments.quick else arguments.rounds)]
    for name, times in zip(("with warm-up", "without warm-up"), zip(*found, strict=True), strict=True):
        ready, first, steady, first_png, steady_png = (list(values) for values in zip(*times, strict=True))
        figures.add(Row(f"{name}: from the start of the process to the first answer", ready, unit="s"))
        figures.add(Row(f"{name}: the first answer against one later on", ratios(first, steady)))
        figures.add(Row(f"{name}: the first PNG's answer against one later on", ratios(first_png, steady_png)))
    if arguments.json:
        figures.write(arguments.json)


def started(base: Path) -> tuple[float, float, float, float, float]:
    """Measure the seconds to the first answer, of the first answer, and of a later one, and the last two for a PNG."""
    image = next((ROOT / "export/hubserve_export/data/photographs").iterdir())
    png = io.BytesIO()
    with Image.open(image) as picture:
        picture.save(png, "PNG")
    begun = time.perf_counter()
    seconds: dict[str, list[float]] = {"JPEG": [], "PNG": []}
    with serving(base) as target, Client(target, model=base.name) as client:
        for form, data in (("JPEG", image.read_bytes()), ("PNG", png.getvalue())):
            for number in range(1 + STEADY):
                asked = time.perf_counter()
                assert next(client.classify([data])).ok  # noqa: S101
                seconds[form].append(time.perf_counter() - asked)
                if form == "JPEG" and number == 0:
                    ready = time.perf_counter() - begun
    of_jpeg, of_png = seconds["JPEG"], seconds["PNG"]
    return ready, of_jpeg[0], statistics.median(of_jpeg[1:]), of_png[0], statistics.median(of_png[1:])


if __name__ == "__main__":
    main()
