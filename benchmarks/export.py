"""Measure the time and memory of exporting PNASNet-5 large, step by step, and the time of `hubserve inspect`.

    .venv/bin/python benchmarks/export.py

It builds the published architecture at full size with random weights (a minute, 350 MB in the temporary folder), and
exports it in a process of its own. `--model` takes any other source instead.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

HUBSERVE = [sys.executable, "-m", "hubserve"]
BUILD = "from models import pnasnet; import sys; pnasnet.Pnasnet(pnasnet.LARGE).save(sys.argv[1])"
STEP = re.compile(r"\[ *([\d.]+) s\] (.*)")
INSPECT_ROUNDS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="a source for hubserve export  [default: PNASNet-5 large, built here]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    print(machine.described())
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or build(Path(folder, "pnasnet-large"))
        figures = {"machine": machine.facts(), **export(model, Path(folder, "models"))}
        figures["inspect"] = inspect(Path(folder, "models"))
    show(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def build(folder: Path) -> str:
    tests = Path(__file__).resolve().parent.parent / "tests"
    environment = os.environ | {"PYTHONPATH": str(tests), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], check=True, env=environment, stderr=subprocess.DEVNULL)
    return str(folder)


def export(model: str, base: Path) -> dict[str, object]:
    """Run `hubserve export`, and read the steps that it reports."""
    started = time.monotonic()
    process = subprocess.Popen([*HUBSERVE, "export", model, "--output", base], stderr=subprocess.PIPE, text=True)
    marks: list[tuple[float, str]] = []
    for line in process.stderr or ():
        if found := STEP.match(line):
            marks.append((time.monotonic() - started, found[2]))
        elif "Error" in line:
            sys.exit(line)
    # wait4 reports this one process, getrusage the largest child so far.
    _, _, usage = os.wait4(process.pid, 0)
    ended = time.monotonic() - started
    begins = [0.0, *(begin for begin, _ in marks)]
    names = ["starting", *(name for _, name in marks)]
    ends = [*begins[1:], ended]
    return {
        "steps": {name: end - begin for name, begin, end in zip(names, begins, ends, strict=True)},
        "seconds": ended,
        "peak_memory_bytes": usage.ru_maxrss * 1024,
        "variables_bytes": sum(path.stat().st_size for path in (base / "1" / "variables").iterdir()),
        "graph_bytes": (base / "1" / "saved_model.pb").stat().st_size,
        "source_graph_bytes": (Path(model) / "saved_model.pb").stat().st_size if Path(model).is_dir() else None,
    }


def inspect(base: Path) -> dict[str, float]:
    """Return the seconds of `hubserve inspect`, and of a Python that does nothing, in turn."""
    commands = {"inspect": [*HUBSERVE, "inspect", str(base)], "python -c pass": [sys.executable, "-c", "pass"]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(INSPECT_ROUNDS):
        for name, command in commands.items():
            started = time.monotonic()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.monotonic() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def show(figures: dict[str, object]) -> None:
    for step, seconds in figures["steps"].items():
        print(f"{seconds:8.1f} s  {step}")
    print(f"{figures['seconds']:8.1f} s  in all")
    memory, variables, before = (figures[f"{key}_bytes"] for key in ("peak_memory", "variables", "source_graph"))
    print(f"{memory / 1e9:8.2f} GB peak memory, for {variables / 1e9:.2f} GB of variables")
    print(f"{figures['graph_bytes'] / 1e6:8.1f} MB graph" + (f", of the source's {before / 1e6:.1f}" if before else ""))
    for name, seconds in figures["inspect"].items():
        print(f"{seconds * 1000:8.0f} ms {name}")


if __name__ == "__main__":
    main()
