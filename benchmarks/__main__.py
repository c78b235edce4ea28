"""Every budget of hubserve, and how its costs grow, measured side by side: a table, a JSON file and a page.

    make bench
    make bench MODEL_DIR=models/my-model
    make bench-quick
    .venv/bin/python benchmarks --only client decode --results /tmp/some
    .venv/bin/python benchmarks --again decode

Each program of this folder runs in a process of its own and measures its contenders in turn; this program runs them
one after another, collects what they measured, and prints one page of what users ask. Peers take part if
`scripts/bench-peers` has made their environments. MODEL_DIR is the base folder of a model of yours: its speed and start
are measured instead of those of efficientnet-lite0 and PNASNet-5 large. `--quick` measures once or twice only. What has
not started within `--minutes` is left out, and the last program is ended.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import machine
import report

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
# Quick runs, and those of a model of the user.
OTHER_RESULTS = HERE.parent / "build" / "bench"
DOCS = HERE.parent / "docs" / "performance.md"
# In the order of the table.
PROGRAMS = (
    "export",
    "serving",
    "startup",
    "client",
    "peers",
    "decode",
    "resize",
    "relay",
    "freezing",
    "precision",
    "bulk",
    "growth",
    "shrink",
    "callers",
)
# Those that a quick run takes: a figure or two for each question of users.
QUICK = ("export", "serving", "startup", "client", "peers", "resize", "relay")
# What a whole run leaves out, so that it takes 20 minutes. Each program by itself measures more.
SHORTER: Mapping[str, Sequence[str]] = {
    "client": ("--rounds", "3"),
    "decode": ("--rounds", "15"),
    "freezing": ("--rounds", "7"),
    "bulk": ("--rounds", "1"),
    "growth": ("--rounds", "2"),
    "callers": ("--rounds", "1", "--threads", "128", "--callers", "1000"),
}
# Those that take a folder where models are kept.
WITH_MODELS = ("export", "serving", "startup", "freezing", "precision")
# Those that measure a model of the user.
OF_A_MODEL = ("serving", "startup")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("model_dir", nargs="?", type=Path, metavar="MODEL_DIR", help="a model of yours")
    some = parser.add_mutually_exclusive_group()
    some.add_argument("--only", nargs="+", choices=PROGRAMS, metavar="NAME", help="some of them")
    some.add_argument(
        "--again",
        nargs="+",
        choices=PROGRAMS,
        metavar="NAME",
        help="some, and keep the last run's figures of the others",
    )
    parser.add_argument("--quick", action="store_true", help="one or two rounds, of less")
    parser.add_argument("--minutes", type=float, help="the time for all of it  [default: 20; 3 for a quick run]")
    parser.add_argument("--models", type=Path, default=HERE.parent / ".bench/models", help="where models are kept")
    parser.add_argument("--results", type=Path, help="the folder for what was found")
    arguments = parser.parse_args()
    names = arguments.again or arguments.only or (QUICK if arguments.quick else PROGRAMS)
    seconds = 60 * (arguments.minutes or (3 if arguments.quick else 20))
    results = arguments.results or (OTHER_RESULTS if arguments.quick or arguments.model_dir else RESULTS)
    load = os.getloadavg()[0]
    run = {"machine": machine.facts(), "load_before": load, "started": now(), "quick": arguments.quick, "figures": []}
    if arguments.again:
        run = last_run(results, run)
    print(machine.described() + f"load before: {load:.1f}", flush=True)
    found = {figures["title"]: figures for figures in run["figures"]}
    failed = []
    end = time.monotonic() + seconds
    for name in names:
        left = end - time.monotonic()
        base = arguments.model_dir if name in OF_A_MODEL else None
        if left > 0 and (figures := measure(name, arguments.quick, arguments.models, base, left)):
            found[name] = figures | (again(run["machine"]) if arguments.again else {})
        else:
            failed.append(name)
    run["figures"] = [found[name] for name in PROGRAMS if name in found]
    results.mkdir(parents=True, exist_ok=True)
    (results / "latest.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    (results / "latest.html").write_text(report.page(run, machine.described()), encoding="utf-8")
    if not run["quick"] and results == RESULTS and not arguments.only:
        text = DOCS.read_text(encoding="utf-8")
        DOCS.write_text(report.documented(text, run), encoding="utf-8")
    rows = [row for figures in report.all_figures(run) for row in figures.rows if row.budget]
    print(f"\n{report.one_page(run)}\n")
    kind = "; a quick run, of one or two rounds" if run["quick"] else ""
    print(
        f"{sum(row.verdict == 'met' for row in rows)} of {len(rows)} budgets met{kind}; {results}/latest.html has all"
    )
    if failed:
        sys.exit(
            f"without figures, because of an error above or because {seconds / 60:g} minutes were over: "
            f"{', '.join(failed)}; measure them with --only, or give more --minutes"
        )


def last_run(results: Path, this: Mapping[str, Any]) -> dict[str, Any]:
    """Return the run that is kept in the folder, to which figures of this run are added; it must be comparable."""
    try:
        last: dict[str, Any] = json.loads((results / "latest.json").read_text(encoding="utf-8"))
    except OSError as error:
        sys.exit(f"{results} keeps no run ({error.strerror}): measure all programs once")
    for fact, value in comparable(this["machine"]).items():
        if (other := comparable(last["machine"])[fact]) != value:
            sys.exit(f"the run in {results} has another value of {fact}, {other}: measure all programs again")
    if last["quick"] != this["quick"]:
        sys.exit(f"the run in {results} was {'a' if last['quick'] else 'not a'} quick one: measure all programs again")
    return last


def comparable(machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that all parts of a run share: not the command, the versions of hubserve and of the system."""
    others = {name: version for name, version in machine["packages"].items() if name != "hubserve"}
    return {**machine, "packages": others, "command": None, "system": None}


def measure(name: str, quick: bool, models: Path, base: Path | None, seconds: float) -> dict[str, object] | None:
    """Run one of the programs and return its figures; None: it failed, and printed why, or its time was over."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "figures.json")
        command = [sys.executable, str(HERE / f"{name}.py"), "--json", str(file)]
        fewer = ["--quick"] if quick else [*SHORTER.get(name, ())]
        command += fewer
        command += ["--models", str(models)] if name in WITH_MODELS else []
        command += ["--base", str(base)] if base else []
        print(f"\n{name}", flush=True)
        # A group of its own, so that the servers that it starts end with it.
        with subprocess.Popen(command, start_new_session=True) as process:
            try:
                process.wait(seconds)
            except (subprocess.TimeoutExpired, KeyboardInterrupt) as error:
                os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, KeyboardInterrupt):
                    raise
        if not file.exists():
            return None
        figures = json.loads(file.read_text(encoding="utf-8"))
    print(f"  {time.monotonic() - began:.0f} s", flush=True)
    said = " ".join([f"python benchmarks/{name}.py", *fewer, *(["--base", str(base)] if base else [])])
    return figures | {"title": name, "command": said}


def again(before: Mapping[str, Any]) -> dict[str, str]:
    """Return when a program was measured again, and on which versions if they are others."""
    this = machine.facts()
    versions = {"hubserve": this["packages"]["hubserve"], "system": this["system"]}
    earlier = {"hubserve": before["packages"]["hubserve"], "system": before["system"]}
    others = ", ".join(f"{name} {version}" for name, version in versions.items() if earlier[name] != version)
    return {"again": f"{now()} with {others}" if others else now()}


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="minutes")


if __name__ == "__main__":
    main()
