"""Every budget of hubserve, and how its costs grow, measured side by side: a table, a JSON file and a page.

    make bench
    .venv/bin/python benchmarks --only client decode --results /tmp/some
    .venv/bin/python benchmarks --again decode
    .venv/bin/python benchmarks --quick

Each program of this folder runs in a process of its own and measures its contenders in turn; this program runs them
one after another and collects what they measured. Peers take part if `scripts/bench-peers` has made their environments.
`--quick` measures once or twice only: it shows that every program works, but its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import machine
import report

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
DOCS = HERE.parent / "docs" / "performance.md"
# In the order of the table.
PROGRAMS = ("client", "callers", "bulk", "peers", "decode", "shrink", "serving", "precision", "growth", "startup")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.partition("\n")[0])
    some = parser.add_mutually_exclusive_group()
    some.add_argument("--only", nargs="+", choices=PROGRAMS, metavar="NAME", help="some of them")
    some.add_argument(
        "--again",
        nargs="+",
        choices=PROGRAMS,
        metavar="NAME",
        help="some, and keep the last run's figures of the others",
    )
    parser.add_argument("--quick", action="store_true", help="as little as shows that it works")
    parser.add_argument("--models", type=Path, default=HERE.parent / ".bench/models", help="where models are kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for what was found")
    arguments = parser.parse_args()
    names = arguments.again or arguments.only or PROGRAMS
    load = os.getloadavg()[0]
    run = {"machine": machine.facts(), "load_before": load, "started": now(), "quick": arguments.quick, "figures": []}
    if arguments.again:
        run = last_run(arguments.results, run)
    print(machine.described() + f"load before: {load:.1f}", flush=True)
    found = {figures["title"]: figures for figures in run["figures"]}
    failed = []
    for name in names:
        if figures := measure(name, arguments.quick, arguments.models):
            found[name] = figures | ({"again": now()} if arguments.again else {})
        else:
            failed.append(name)
    run["figures"] = [found[name] for name in PROGRAMS if name in found]
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "latest.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    (arguments.results / "latest.html").write_text(report.page(run, machine.described()), encoding="utf-8")
    if not run["quick"] and set(found) == set(PROGRAMS) and arguments.results == RESULTS:
        text = DOCS.read_text(encoding="utf-8")
        DOCS.write_text(report.documented(text, run), encoding="utf-8")
    print("\nbudgets")
    rows = [row for figures in report.all_figures(run) for row in figures.rows if row.budget]
    print("\n".join(map(str, rows)))
    print(f"\n{sum(row.verdict == 'met' for row in rows)} of {len(rows)} met; {arguments.results}/latest.html has all")
    if failed:
        sys.exit(f"ended without figures: {', '.join(failed)}")


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
    """Return the facts that all parts of a run share: not the command, and not the version of hubserve."""
    others = {name: version for name, version in machine["packages"].items() if name != "hubserve"}
    return {**machine, "packages": others, "command": None}


def measure(name: str, quick: bool, models: Path) -> dict[str, object] | None:
    """Run one of the programs and return its figures; None: it failed, and printed why."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "figures.json")
        command = [sys.executable, str(HERE / f"{name}.py"), "--json", str(file)]
        command += ["--quick"] if quick else []
        command += ["--models", str(models)] if name in ("serving", "precision", "startup") else []
        print(f"\n{name}", flush=True)
        subprocess.run(command, check=False)
        if not file.exists():
            return None
        figures = json.loads(file.read_text(encoding="utf-8"))
    return figures | {"title": name, "command": f"python benchmarks/{name}.py{' --quick' if quick else ''}"}


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="minutes")


if __name__ == "__main__":
    main()
