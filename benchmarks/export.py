"""Measure the time and memory of exporting PNASNet-5 large, step by step, and the time of `hubserve inspect`.

    .venv/bin/python benchmarks/export.py
    .venv/bin/python benchmarks/export.py --models .bench/models

It builds the published architecture at full size with random weights (a minute, 350 MB in the temporary folder), and
exports it in a process of its own. `--models` keeps the exported model there as `pnasnet`, for the other programs.
`--model` takes any other source instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import options
from row import Figures, Row

HUBSERVE = [sys.executable, "-m", "hubserve"]
BUILD = "from models import pnasnet; import sys; pnasnet.Pnasnet(pnasnet.LARGE).save(sys.argv[1])"
STEP = re.compile(r"\[ *([\d.]+) s\] (.*)")
INSPECT_ROUNDS = 7


SLOW = (
    "the source model runs on 42 images to compare conventions, the version on some 40 for the proof, and TensorFlow "
    "prepares the graphs of four signatures one after another, on one core, under a lock of the session. Tried: "
    "batches that differ in kind only (172 s before), one session for all of the proof, signatures side by side (6 s "
    "less), no batch of 32 (7 s less). A second session would need the variables and the graph once more (0.9 GB)"
)
LARGE = (
    "TensorFlow itself needs 0.6 GB, the session 0.5 to 0.9, a batch of 8 images 0.3, and about 0.9 of what was used "
    "before are not given back. Tried: freeing the source model before the proof (4.7 to 3.6 GB, kept), no batch of "
    "32 and two signatures at a time in the proof (2.7 GB, kept), blocks above 4 MiB returned to the system at once, "
    "and one operation at a time (0.1 GB less)"
)


def main() -> None:
    parser = options.parser(__doc__, quick="efficientnet-lite0 instead")
    parser.add_argument("--model", help="a source for hubserve export  [default: PNASNet-5 large, built here]")
    parser.add_argument("--models", type=Path, metavar="DIR", help="where models are kept  [default: not at all]")
    arguments = parser.parse_args()
    print(machine.described())
    figures = Figures("export", command=machine.command())
    with tempfile.TemporaryDirectory() as folder:
        large = not arguments.model and not arguments.quick
        model = arguments.model or (build(Path(folder, "pnasnet-large")) if large else "efficientnet-lite0")
        name = "PNASNet-5 large" if large else Path(model).name
        base = Path(folder, "models")
        export(figures, model, name, base, large=large)
        for command, seconds in inspect(base).items():
            figures.add(Row(f"{command}, {name}", seconds, unit="s"))
        if arguments.models and large and not (kept := arguments.models / "pnasnet").exists():
            arguments.models.mkdir(parents=True, exist_ok=True)
            shutil.move(base, kept)
    if arguments.json:
        figures.write(arguments.json)


def build(folder: Path) -> str:
    tests = Path(__file__).resolve().parent.parent / "tests"
    environment = os.environ | {"PYTHONPATH": str(tests), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], check=True, env=environment, stderr=subprocess.DEVNULL)
    return str(folder)


def export(figures: Figures, model: str, name: str, base: Path, *, large: bool) -> None:
    """Run `hubserve export`, and read the steps that it reports; the goals are those for the large model."""
    started = time.monotonic()
    process = subprocess.Popen([*HUBSERVE, "export", model, "--output", base], stderr=subprocess.PIPE, text=True)
    marks: list[tuple[float, str]] = []
    for line in process.stderr or ():
        if found := STEP.match(line):
            marks.append((time.monotonic() - started, found[2].partition(str(model))[0].strip() or found[2]))
        elif "Error" in line:
            sys.exit(line)
    # wait4 reports this one process, getrusage the largest child so far.
    _, _, usage = os.wait4(process.pid, 0)
    ended = time.monotonic() - started
    figures.add(Row(f"export of {name}", [ended], unit="s", at_most=60 if large else None, reason=SLOW))
    memory = usage.ru_maxrss * 1024 / 1e9
    figures.add(Row(f"export of {name}, peak memory", [memory], unit="GB", at_most=3 if large else None, reason=LARGE))
    busy = usage.ru_utime + usage.ru_stime
    figures.add(Row(f"export of {name}, processor time", [busy], unit="s"))
    begins = [0.0, *(begin for begin, _ in marks)]
    names = ["starting", *(step for _, step in marks)]
    for step, begin, end in zip(names, begins, [*begins[1:], ended], strict=True):
        figures.add(Row(f"export of {name}, step: {step}", [end - begin], unit="s"))
    variables = sum(path.stat().st_size for path in (base / "1" / "variables").iterdir())
    figures.add(Row(f"export of {name}, variables", [variables / 1e9], unit="GB"))
    graph = (base / "1" / "saved_model.pb").stat().st_size
    figures.add(Row(f"export of {name}, graph", [graph / 1e6], unit="MB"))


def inspect(base: Path) -> dict[str, list[float]]:
    """Return the seconds of `hubserve inspect`, and of a Python that does nothing, in turn."""
    commands = {"inspect": [*HUBSERVE, "inspect", str(base)], "python -c pass": [sys.executable, "-c", "pass"]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(INSPECT_ROUNDS):
        for name, command in commands.items():
            started = time.monotonic()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.monotonic() - started)
    return times


if __name__ == "__main__":
    main()
