"""Measure what `convert=True` costs: memory and time of large files, and a folder of phone photographs.

    .venv/bin/python benchmarks/convert.py

Each file is converted in a process of its own, whose peak memory is printed. Then a folder of HEIC photographs, in
every orientation and half of them with a colour profile, is classified with one command by efficientnet-lite0 in the
embedded engine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import machine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support import foreign_files, photographs
from support.processes import hubserve, serving

LABELS = {"chelsea": "Egyptian cat", "coffee": "espresso", "camera": "tripod", "grace_hopper": "military uniform"}
CONVERT = """
import re, sys, time
from pathlib import Path
from hubserve._images.preparation import encoder
started = time.perf_counter()
made = encoder(0, convert=True)(0, sys.argv[1])
seconds = time.perf_counter() - started
memory = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024
print(made.error or f"{seconds:.1f} s, {memory} MiB with all of Python, sent as {len(made.data) / 1e6:.1f} MB")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photographs", type=int, default=500, metavar="N", help="photographs  [default: 500]")
    parser.add_argument("--only-photographs", action="store_true", help="leave the large files out")
    arguments = parser.parse_args()
    print(machine.described())
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.only_photographs:
            large(Path(folder))
        classified(Path(folder), arguments.photographs)


def large(folder: Path) -> None:
    files = {
        "TIFF of 1008 megapixels, 8 bits, in tiles": lambda: foreign_files.tiled(31_744),
        "TIFF of 48 megapixels, one strip": lambda: photographs.encoded(photographs.mirrored(8000, 6000), "TIFF"),
        "HEIC of 12 megapixels": lambda: foreign_files.heic(photographs.mirrored(4032, 3024), quality=70),
        "AVIF of 12 megapixels": lambda: photographs.encoded(photographs.mirrored(4032, 3024), "AVIF", speed=10),
    }
    for name, make in files.items():
        file = folder / "large"
        file.write_bytes(make())
        done = subprocess.run([sys.executable, "-c", CONVERT, file], capture_output=True, text=True, check=True)
        print(f"{name}, {file.stat().st_size / 1e6:.1f} MB: {done.stdout.strip()}", flush=True)
        file.unlink()


def classified(folder: Path, count: int) -> None:
    # Imported here, because it imports TensorFlow.
    from hubserve_export import Options, export

    shown = foreign_files.phone_photographs(folder / "DCIM", count)
    export(Options("efficientnet-lite0", folder / "lite0", batch_sizes=(1, 8, 32)))
    with serving(folder / "lite0") as target:
        started = time.perf_counter()
        done = hubserve("classify", folder / "DCIM", "--convert", "--server", target, "--model", "lite0")
        seconds = time.perf_counter() - started
    records = [json.loads(line) for line in done.stdout.splitlines()]
    right = sum(
        bool(record["classes"]) and record["classes"][0]["label"] == LABELS[shown[Path(record["source"]).name]]
        for record in records
    )
    summary = re.search(r".* images classified.*", done.stderr)
    print(f"{count} HEIC photographs of 800 x 600: exit code {done.returncode}, {seconds:.1f} s")
    print(f"  {summary[0] if summary else done.stderr}")
    print(f"  {right} of {count} have the class of what they show")
    if done.returncode or right != count:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
