"""Every budget of hubserve, and how its costs grow, measured side by side: a table, a JSON file and a page.

    make bench
    .venv/bin/python benchmarks --only client decode
    .venv/bin/python benchmarks --quick

Each program of this folder runs in a process of its own and measures its contenders in turns; this one runs them one
after another and puts together what they found. Of the peers, those whose environments `scripts/bench-peers` has made
take part. `--quick` measures once or twice only: it shows that all of it works, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import machine
import report

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
DOCS = HERE.parent / "docs" / "performance.md"
# In the order of the table.
PROGRAMS = ("client", "bulk", "peers", "decode", "shrink", "serving", "precision", "growth", "startup")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, default=PROGRAMS, metavar="NAME", help="some of them")
    parser.add_argument("--quick", action="store_true", help="as little as shows that it works")
    parser.add_argument("--models", type=Path, default=HERE.parent / ".bench/models", help="where models are kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for what was found")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    print(machine.described() + f"load before: {load:.1f}", flush=True)
    found = [figures for name in arguments.only if (figures := measure(name, arguments.quick, arguments.models))]
    run = {
        "machine": machine.facts(),
        "load_before": load,
        "started": datetime.now(timezone.utc).isoformat(timespec="minutes"),
        "quick": arguments.quick,
        "figures": found,
    }
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "latest.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    (arguments.results / "latest.html").write_text(report.page(run, machine.described()), encoding="utf-8")
    if not arguments.quick and set(arguments.only) == set(PROGRAMS) and arguments.results == RESULTS:
        text = DOCS.read_text(encoding="utf-8")
        DOCS.write_text(report.documented(text, run), encoding="utf-8")
    print("\nbudgets")
    rows = [row for figures in report.all_figures(run) for row in figures.rows if row.budget]
    print("\n".join(map(str, rows)))
    print(f"\n{sum(row.verdict == 'met' for row in rows)} of {len(rows)} met; {arguments.results}/latest.html has all")
    missing = [name for name in arguments.only if name not in {figures["title"] for figures in found}]
    if missing:
        sys.exit(f"ended without figures: {', '.join(missing)}")


def measure(name: str, quick: bool, models: Path) -> dict[str, object] | None:
    """What one of the programs found; None where it failed, having said why itself."""
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


if __name__ == "__main__":
    main()
