"""Measure what bfloat16 changes on this CPU: images a second, and logits, against float32 in the same run.

    .venv/bin/python benchmarks/precision.py

It runs each model in two sessions of one process, as TensorFlow Serving would load it: one with the default config, one
with the session config `bfloat16-cpu`. They take turns on the same photographs.

The models are PNASNet-5 large, whose architecture is built here with random weights (a minute, 350 MB in the temporary
folder), and efficientnet-lite0 with its trained weights. The first one shows speed. For answers, the second one shows
more: the features of random weights are nearly alike for all images, and logits that depend on small differences show
any rounding many times larger. `--model` takes the base folder of an exported model instead, and may be repeated.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np

import machine
import options

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from google.protobuf import text_format

from hubserve_cli.demo import copy_photographs
from row import Figures, Row, ratios
from serving import export

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "model" / "hubserve_model" / "data" / "bfloat16-cpu.pbtxt"
LEAST_RATIO = 1.3
SPEED = "bfloat16 session config against float32, images/s"
TOP1 = "bfloat16 session config, photographs whose best class is the same as with float32"
WITHOUT = (
    "this CPU has no bfloat16 instructions (AVX512_BF16, AMX), and oneDNN does not compute in bfloat16 without them; "
    "docs/serving.md has figures of a CPU that has them"
)
DEPTHWISE = (
    "bfloat16 makes the products of matrices faster; depthwise convolutions, batch normalisation and the conversions "
    "between the types take as long as before or longer, as a small network of depthwise convolutions (lite0) shows"
)
RANDOM = (
    "the features of random weights are nearly alike for all images, and rounding hides what little differs; "
    "PNASNet's own weights were not available here"
)
# Instructions that multiply bfloat16, as Linux names them.
INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16")


def main() -> None:
    parser = options.parser(__doc__, rounds=7, quick="one turn, of efficientnet-lite0 alone")
    parser.add_argument("--model", type=Path, action="append", help="an exported model's base folder")
    parser.add_argument("--models", type=Path, metavar="DIR", help="where models are kept  [default: not at all]")
    arguments = parser.parse_args()
    print(machine.described() + f"bfloat16 instructions: {', '.join(instructions()) or 'none'}")
    figures = Figures("precision", command=machine.command())
    with tempfile.TemporaryDirectory() as folder:
        if instructions() or arguments.model:
            photographs = [path.read_bytes() for path in copy_photographs(Path(folder, "photographs"))]
            bases = arguments.model or models(arguments.models or Path(folder), arguments.quick)
            for base in bases:
                compare(figures, base, photographs, 1 if arguments.quick else arguments.rounds)
        else:
            figures.add(Row(f"{SPEED}, PNASNet-5 large", [], at_least=LEAST_RATIO, reason=WITHOUT))
            figures.add(Row(f"{TOP1}, PNASNet-5 large", [], unit="of all", at_least=1, reason=WITHOUT))
    if arguments.json:
        figures.write(arguments.json)


def instructions() -> list[str]:
    """Return the instructions of this CPU that make bfloat16 faster."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    known = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    return [name for name in INSTRUCTIONS if name in known]


def models(folder: Path, quick: bool) -> list[Path]:
    """Return the base folders of the models, and export those that do not exist."""
    bases = [folder / name for name in (("lite0",) if quick else ("lite0", "pnasnet"))]
    for base in bases:
        if not base.exists():
            export(base.name, base)
    return bases


class Session:
    """The signature `logits` of a version, in a session with a config."""

    def __init__(self, version: Path, config: tf.compat.v1.ConfigProto | None) -> None:
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        with self._session.graph.as_default():
            signatures = tf.compat.v1.saved_model.load(self._session, ["serve"], str(version)).signature_def
        self._feed = signatures["logits"].inputs["image_bytes"].name
        self._fetch = signatures["logits"].outputs["logits"].name

    def run(self, images: list[bytes]) -> np.ndarray:
        """Return the images' logits, float32 [N, C]."""
        return self._session.run(self._fetch, {self._feed: np.array(images, object)})


def compare(figures: Figures, base: Path, photographs: list[bytes], rounds: int) -> None:
    tf.get_logger().setLevel("ERROR")
    version = max((child for child in base.iterdir() if child.name.isdecimal()), key=lambda child: int(child.name))
    config = text_format.Parse(CONFIG.read_text(encoding="utf-8"), tf.compat.v1.ConfigProto())
    sessions = {"float32": Session(version, None), "bfloat16": Session(version, config)}
    # The first run compiles, and is not timed.
    logits = {name: session.run(photographs) for name, session in sessions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(rounds):
        for name, session in sessions.items():
            started = time.perf_counter()
            session.run(photographs)
            seconds[name].append(time.perf_counter() - started)
    exact, rounded = logits["float32"], logits["bfloat16"]
    spread = exact.max(axis=1) - exact.min(axis=1)
    # The budget is for the large model: small networks of depthwise convolutions have little to multiply.
    least = LEAST_RATIO if base.name == "pnasnet" else None
    gain = ratios(seconds["float32"], seconds["bfloat16"])
    figures.add(Row(f"{SPEED}, {base.name}", gain, at_least=least, reason=DEPTHWISE))
    same = float((rounded.argmax(axis=1) == exact.argmax(axis=1)).mean())
    figures.add(Row(f"{TOP1}, {base.name}", [same], unit="of all", at_least=1, reason=RANDOM))
    errors = (np.abs(rounded - exact).max(axis=1) / spread).tolist()
    figures.add(Row(f"largest change of a logit, as a part of their range, {base.name}", errors))


if __name__ == "__main__":
    main()
