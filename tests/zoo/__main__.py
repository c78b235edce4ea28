"""Print the zoo's table: the export of each model without an option, compared with its training library.

PYTHONPATH=tests python -m zoo [--only NAME ...] [--again | --older] [--keep-models] [--output FILE]

A run that was stopped goes on where it was: what was found is kept until the sources change.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from zoo import catalogue, conventions, table
from zoo.built import Entry
from zoo.row import BUILT, RESULT, Row

_ROOT = Path(__file__).parents[2]
_KEPT = _ROOT / ".zoo"
# Files of the zoo that print what was measured, and measure nothing.
_NOT_MEASURING = ("__main__.py", "table.py", "conventions.py", "test_zoo.py", "test_short.py")
# A model that takes longer than this for one step is given up.
_PATIENCE_SECONDS = 3600


def main() -> int:
    """Prints the table and the summary: 1 where a goal is missed, 0 otherwise."""
    options = _options()
    entries, left_out = _entries(options.only)
    rows, older = [], 0
    print(table.HEAD, flush=True)
    for entry in entries:
        row, state = _row(entry, options)
        print(table.line(row), flush=True)
        rows.append(row)
        older += state != _state()
    print(f"\n{table.summary(rows)}", flush=True)
    if options.output:
        options.output.write_text(table.page(rows, _versions(), older), encoding="utf-8")
    if left_out:
        print(f"KerasHub is not installed here (see scripts/zoo-environment): {left_out} of its models are left out")
    met = table.goals_met(rows)
    if not options.only:
        met &= conventions.main() == 0
    return 0 if met and not left_out else 1


def _entries(only: list[str]) -> tuple[list[Entry], int]:
    """The models to look at, and how many of KerasHub's are left out."""
    every = catalogue.entries()
    if unknown := set(only) - {entry.name for entry in every}:
        sys.exit(f"zoo: there is no model {', '.join(sorted(unknown))}")
    wanted = [entry for entry in every if not only or entry.name in only]
    if importlib.util.find_spec("keras_hub"):
        return wanted, 0
    others = [entry for entry in wanted if not entry.name.startswith("keras-hub-")]
    return others, len(wanted) - len(others)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m zoo", description="Export every model of the zoo, and compare.")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="Names of the models to look at.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--again", action="store_true", help="Look at every model anew, whatever is kept.")
    which.add_argument(
        "--older", action="store_true", help="Take what was found with older sources too; the file says how many."
    )
    parser.add_argument("--keep-models", action="store_true", help="Keep the built models for the next run.")
    parser.add_argument("--output", type=Path, metavar="FILE", help="File that gets the table and its summary too.")
    return parser.parse_args()


def _row(entry: Entry, options: argparse.Namespace) -> tuple[Row, str]:
    """Return what was found of a model before, or what is found now, and the state of the sources it was found with."""
    kept = _KEPT / "rows" / f"{entry.name}.json"
    state = _state()
    if kept.exists() and not options.again:
        said = json.loads(kept.read_text())
        if said["state"] == state or options.older:
            return Row.of(said["row"]), said["state"]
    row = _look(entry, _KEPT / "models" / entry.name, _KEPT / "seen" / state, options.keep_models)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"state": state, "row": asdict(row)}))
    return row, state


def _look(entry: Entry, folder: Path, seen: Path, keep_models: bool) -> Row:
    seen.mkdir(parents=True, exist_ok=True)
    if not (folder / BUILT).exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if said := _child("zoo.build", entry.name, str(folder)):
            return Row(entry.name, entry.source, False, f"not built: {said}")
    (folder / RESULT).unlink(missing_ok=True)
    if said := _child("zoo.compare", entry.name, str(folder), str(seen)):
        return Row(entry.name, entry.source, False, f"not compared: {said}")
    row = Row.of(json.loads((folder / RESULT).read_text().replace(f"{folder}/", "")))
    if not keep_models:
        shutil.rmtree(folder)
    return row


def _child(*command: str) -> str:
    """Runs a step in a process of its own, because TensorFlow gives memory back only at its end; says what failed."""
    try:
        ran = subprocess.run(
            [sys.executable, "-m", *command], capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"still at it after {_PATIENCE_SECONDS} s"
    if ran.returncode == 0:
        return ""
    lines = [line for line in ran.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"status {ran.returncode}"


def _state() -> str:
    """Return what a result depends on: the sources of export and of the zoo, and the libraries."""
    state = hashlib.sha256()
    export = importlib.util.find_spec("hubserve_export")
    assert export is not None
    assert export.submodule_search_locations is not None
    for folder in (Path(export.submodule_search_locations[0]), _ROOT / "tests" / "zoo", _ROOT / "tests" / "support"):
        for file in sorted(folder.rglob("*.py")):
            if file.name not in _NOT_MEASURING:
                state.update(file.read_bytes())
    state.update(_versions().encode())
    return state.hexdigest()[:16]


def _versions() -> str:
    """Return the libraries that decide about a result, and their versions."""
    said = []
    for name in ("tensorflow", "keras", "keras-hub", "pillow", "numpy"):
        try:
            said.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            said.append(f"no {name}")
    return ", ".join(said)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
