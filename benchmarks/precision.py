"""What bfloat16 changes on this CPU: images a second, and logits, against float32 in the same run.

    .venv/bin/python benchmarks/precision.py

It runs each model in two sessions of one process, as TensorFlow Serving would load it: one by default, one with the
session config `bfloat16-cpu`. They take turns on the same photographs.

The models are PNASNet-5 large, whose architecture is built here with random weights (a minute, 350 MB in the temporary
folder), and efficientnet-lite0 with its trained weights. The first tells of speed. Of answers the second tells more:
the features of random weights are nearly alike for all images, and logits made of what little differs show any rounding
many times larger. `--model` takes the base folder of an exported model instead, and may be given again.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import machine

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from google.protobuf import text_format

from hubserve._command.demo import copy_photographs

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "serve" / "hubserve_serve" / "data" / "bfloat16-cpu.pbtxt"
BUILD = "from models import pnasnet; import sys; pnasnet.Pnasnet(pnasnet.LARGE).save(sys.argv[1])"
LEAST_RATIO = 1.3
# Instructions that multiply bfloat16, as Linux names them.
INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, action="append", help="an exported model's base folder")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each  [default: 7]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    print(machine.described() + f"bfloat16 instructions: {', '.join(instructions()) or 'none'}")
    figures: dict[str, object] = {"machine": machine.facts(), "bfloat16_instructions": instructions()}
    with tempfile.TemporaryDirectory() as folder:
        photographs = [path.read_bytes() for path in copy_photographs(Path(folder, "photographs"))]
        for base in arguments.model or models(Path(folder)):
            versions = [child for child in base.iterdir() if child.name.isdecimal()]
            version = max(versions, key=lambda child: int(child.name))
            figures[base.name] = compare(version, photographs, arguments.rounds)
            show(base.name, figures[base.name])
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def instructions() -> list[str]:
    """The instructions of this CPU that bfloat16 gains from."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    known = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    return [name for name in INSTRUCTIONS if name in known]


def models(folder: Path) -> list[Path]:
    """The base folders of the two models, exported there."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    source = folder / "source"
    subprocess.run([sys.executable, "-c", BUILD, str(source)], check=True, env=environment, stderr=subprocess.DEVNULL)
    bases = {folder / "pnasnet-large": str(source), folder / "efficientnet-lite0": "efficientnet-lite0"}
    for base, model in bases.items():
        subprocess.run([sys.executable, "-m", "hubserve", "export", model, "--output", str(base)], check=True)
    return list(bases)


class Session:
    """The signature `logits` of a version, in a session with this config."""

    def __init__(self, version: Path, config: tf.compat.v1.ConfigProto | None) -> None:
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        with self._session.graph.as_default():
            signatures = tf.compat.v1.saved_model.load(self._session, ["serve"], str(version)).signature_def
        self._feed = signatures["logits"].inputs["image_bytes"].name
        self._fetch = signatures["logits"].outputs["logits"].name

    def run(self, images: list[bytes]) -> np.ndarray:
        """The images' logits, float32 [N, C]."""
        return self._session.run(self._fetch, {self._feed: np.array(images, object)})


def compare(version: Path, photographs: list[bytes], rounds: int) -> dict[str, object]:
    tf.get_logger().setLevel("ERROR")
    config = text_format.Parse(CONFIG.read_text(encoding="utf-8"), tf.compat.v1.ConfigProto())
    sessions = {"float32": Session(version, None), "bfloat16": Session(version, config)}
    # The first run compiles, and is not timed.
    logits = {name: session.run(photographs) for name, session in sessions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(rounds):
        for name, session in sessions.items():
            started = time.perf_counter()
            session.run(photographs)
            seconds[name].append((time.perf_counter() - started) / len(photographs))
    exact, rounded = logits["float32"], logits["bfloat16"]
    spread = exact.max(axis=1) - exact.min(axis=1)
    ratios = [slow / fast for slow, fast in zip(seconds["float32"], seconds["bfloat16"], strict=True)]
    return {
        "photographs": len(photographs),
        "seconds_an_image": seconds,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "logit_error": (np.abs(rounded - exact).max(axis=1) / spread).tolist(),
        "same_top1": int((rounded.argmax(axis=1) == exact.argmax(axis=1)).sum()),
    }


def show(name: str, figures: dict[str, object]) -> None:
    print(f"\n{name}")
    for precision, seconds in figures["seconds_an_image"].items():
        median, least, most = statistics.median(seconds), min(seconds), max(seconds)
        print(f"{precision:9}{median * 1000:7.0f} ms an image ({least * 1000:.0f} to {most * 1000:.0f})")
    ratio, ratios, errors = figures["ratio"], figures["ratios"], figures["logit_error"]
    met = "met" if ratio >= LEAST_RATIO else "not met"
    print(f"ratio    {ratio:7.2f} x ({min(ratios):.2f} to {max(ratios):.2f}); budget at least {LEAST_RATIO} x: {met}")
    met = "met" if figures["same_top1"] == figures["photographs"] else "not met"
    print(f"top-1    {figures['same_top1']:7} of {figures['photographs']} photographs the same; budget all: {met}")
    print(f"logits   {max(errors):7.2%} of their range at most ({statistics.median(errors):.2%} in the median)")


if __name__ == "__main__":
    main()
