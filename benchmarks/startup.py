"""Measure how long `hubserve serve` takes from its start to the first answer, with and without warm-up.

    .venv/bin/python benchmarks/startup.py
    .venv/bin/python benchmarks/startup.py --model pnasnet --models .bench/models
    .venv/bin/python benchmarks/startup.py --base models/my-model

The embedded engine serves efficientnet-lite0, PNASNet-5 large (random weights), or a model of yours. The process
starts, loads, warms up if the version has records for it, and then answers. Without warm-up the first callers wait for
the work that TensorFlow does once per shape, and per format. In the embedded engine TensorFlow optimizes each graph
once instead of twice. What this gains is measured in this process.

`later` is the median of the answers after the first one.
"""

from __future__ import annotations

import io
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

import machine
import options
from hubserve import Client
from hubserve_serve._session import SavedModelSession, optimized_once
from row import Figures, Row, ratios
from serving import NAMES, ROOT, export, newest, serving

WARMUP = "assets.extra/tf_serving_warmup_requests"
STEADY = {"lite0": 30, "pnasnet": 5}
MORE = (
    "TensorFlow prepares the graph of each signature at its first run, on one processor, under a lock of the session "
    "(DirectSession::CreateGraphs). Without warm-up one signature is prepared, with it three, and one image of each "
    "format is run. Tried: one pass of graph optimization instead of two (kept; it also shortens the start without "
    "warm-up), the signatures side by side (kept; all but the preparation overlaps), no batch sizes on a CPU that "
    "prepare nothing new (kept), the mixed batch of formats as small as possible (kept), and settings of glibc's "
    "malloc (no gain)"
)


def main() -> None:
    parser = options.parser(__doc__, quick="one round, of lite0 alone")
    parser.add_argument("--model", choices=STEADY, nargs="+", default=list(STEADY), help="[default: both]")
    parser.add_argument("--base", type=Path, metavar="DIR", help="the base folder of an exported model instead")
    parser.add_argument("--models", type=Path, metavar="DIR", help="where models are kept  [default: not at all]")
    parser.add_argument("--rounds", type=int, help="[default: 3 for lite0, 1 for pnasnet, 2 for a model of yours]")
    arguments = parser.parse_args()
    print(machine.described())
    figures = Figures("startup", command=machine.command())
    with tempfile.TemporaryDirectory() as folder:
        if arguments.base:
            rounds = 1 if arguments.quick else arguments.rounds or 2
            measure(figures, arguments.base.name, arguments.base, Path(folder), rounds, 10)
        for model in [] if arguments.base else ["lite0"] if arguments.quick else arguments.model:
            # With the default batch sizes, as most users export.
            base = (arguments.models or Path(folder)) / ("lite0-start" if model == "lite0" else model)
            if not base.exists():
                export(model, base, sizes=None)
            rounds = 1 if arguments.quick else arguments.rounds or {"lite0": 3, "pnasnet": 1}[model]
            measure(figures, NAMES[model], base, Path(folder), rounds, STEADY[model])
            if model == "lite0":
                preparation(figures, NAMES[model], newest(base), rounds)
    if arguments.json:
        figures.write(arguments.json)


def measure(figures: Figures, name: str, base: Path, folder: Path, rounds: int, steady: int) -> None:
    """Start a model with its warm-up records and without them, in turn."""
    version = newest(base)
    cold = folder / f"{base.name}-cold"
    shutil.copytree(version, cold / version.name, copy_function=os.symlink)
    (cold / version.name / WARMUP).unlink(missing_ok=True)
    found = [(started(base, steady), started(cold, steady)) for _ in range(rounds)]
    (warm_ready, first, later, first_png, later_png), (cold_ready, cold_first, cold_later, *_) = (
        [list(values) for values in zip(*times, strict=True)] for times in zip(*found, strict=True)
    )
    what = f"{name}: start to the first answer"
    figures.add(Row(f"{what}, with warm-up against without", ratios(warm_ready, cold_ready), at_most=1.5, reason=MORE))
    figures.add(Row(f"{what}, with warm-up", warm_ready, unit="s"))
    figures.add(Row(f"{what}, without warm-up", cold_ready, unit="s"))
    for form, one, other in (("JPEG", first, later), ("PNG", first_png, later_png)):
        figures.add(Row(f"{name}: the first {form} after warm-up against later", ratios(one, other), at_most=1.3))
    figures.add(Row(f"{name}: the first JPEG without warm-up against later", ratios(cold_first, cold_later)))


def preparation(figures: Figures, name: str, version: Path, rounds: int) -> None:
    """Measure the processor time of the first run of each signature, with one pass of optimization and with two."""
    images = np.array([next((ROOT / "export/hubserve_export/data/photographs").iterdir()).read_bytes()], object)
    seconds: dict[str, list[float]] = {"one": [], "two": []}
    for _ in range(rounds):
        for passes, config in (("one", optimized_once()), ("two", tf.compat.v1.ConfigProto())):
            session = SavedModelSession(version, config)
            for signature in ("serving_default", "logits"):
                inputs, outputs = session.signatures[signature].inputs, session.signatures[signature].outputs
                begun = time.process_time()
                session.run({inputs["image_bytes"].name: images}, [outputs[key].name for key in sorted(outputs)])
                seconds[passes].append(time.process_time() - begun)
            session.close()
    what = f"{name}: the first run of a signature, one pass of graph optimization against two, processor time"
    figures.add(Row(what, ratios(seconds["one"], seconds["two"])))
    figures.add(Row(f"{name}: the first run of a signature, processor time", seconds["one"], unit="s"))


def started(base: Path, steady: int) -> tuple[float, float, float, float, float]:
    """Measure the seconds to the first answer, of the first answer, and of a later one, and the last two for a PNG."""
    image = next((ROOT / "export/hubserve_export/data/photographs").iterdir())
    png = io.BytesIO()
    with Image.open(image) as picture:
        picture.save(png, "PNG")
    begun = time.perf_counter()
    seconds: dict[str, list[float]] = {"JPEG": [], "PNG": []}
    with serving(base) as server, Client(server.target, model=base.name) as client:
        ask = client.classify if "classify" in client.metadata().signatures else client.features
        for form, data in (("JPEG", image.read_bytes()), ("PNG", png.getvalue())):
            for number in range(1 + steady):
                asked = time.perf_counter()
                assert next(ask([data])).ok  # noqa: S101
                seconds[form].append(time.perf_counter() - asked)
                if form == "JPEG" and number == 0:
                    ready = time.perf_counter() - begun
    of_jpeg, of_png = seconds["JPEG"], seconds["PNG"]
    return ready, of_jpeg[0], statistics.median(of_jpeg[1:]), of_png[0], statistics.median(of_png[1:])


if __name__ == "__main__":
    main()
