"""Measure what constants gain on this CPU: processor time and memory of a model whose variables are constants.

    .venv/bin/python benchmarks/freezing.py

TensorFlow folds batch normalisation into convolutions if both are constants. Each model runs in two sessions of one
process, as TensorFlow Serving would load it: with variables, and with the same graph whose variables were made
constants ("frozen"). They take turns on the same images, with the default config and with `bfloat16-cpu`.

efficientnet-lite0 has its trained weights. MobileNetV2 and ResNet50 of keras.applications and PNASNet-5 large have
random ones; theirs show speed only. `--model` takes the base folder of an exported model instead, and may be repeated.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import options

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from precision import CONFIG, instructions
from row import Figures, Row, ratios
from serving import export

# A gain from which freezing would be worth an option of export.
GAIN = 1.05
SMALL = (
    "the convolutions take most of the time, and oneDNN does them the same way with variables; the batch normalisation "
    "that is folded away was cheap"
)
BATCHES = (1, 8)
KERAS = {"MobileNetV2": 224, "ResNet50": 224}
# Of the signatures that take images as numbers, by the kind of the model.
OUTPUTS = ("logits", "feature_vector", "output_0")
Run = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = options.parser(__doc__, rounds=15, quick="two turns, of MobileNetV2 alone")
    parser.add_argument("--model", type=Path, action="append", help="an exported model's base folder")
    parser.add_argument("--models", type=Path, metavar="DIR", help="where models are kept  [default: not at all]")
    parser.add_argument("--large", action="store_true", help="measure PNASNet-5 large too")
    parser.add_argument("--peak", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        print(peak(arguments.peak))
        return
    print(machine.described() + f"bfloat16 instructions: {', '.join(instructions()) or 'none'}")
    figures = Figures("freezing", command=machine.command())
    tf.get_logger().setLevel("ERROR")
    with tempfile.TemporaryDirectory() as temporary:
        folders = {base.name: newest(base) for base in arguments.model or []}
        folders = folders or models(Path(temporary), arguments.models, arguments.quick, arguments.large)
        for name, folder in folders.items():
            measure(figures, name, folder, Path(temporary), 2 if arguments.quick else arguments.rounds)
    if arguments.json:
        figures.write(arguments.json)


def models(temporary: Path, kept: Path | None, quick: bool, large: bool) -> dict[str, Path]:
    """Return the folders of SavedModels by name, and make those that do not exist."""
    found = {}
    for name in ("MobileNetV2",) if quick else KERAS:
        found[name] = temporary / name
        save_keras(name, found[name])
    for name in () if quick else ("lite0", "pnasnet") if large else ("lite0",):
        base = (kept or temporary) / name
        if not base.exists():
            export(name, base)
        found[name] = newest(base)
    return found


def save_keras(name: str, folder: Path) -> None:
    """Save a model of keras.applications, with random numbers also for its batch normalisation."""
    model = getattr(keras.applications, name)(weights=None)
    chance = np.random.default_rng(0)
    # The variables of batch normalisation: 1 and 0 would be folded away more easily than learned ones.
    model.set_weights(
        [value if value.ndim > 1 else chance.uniform(0.5, 1.5, value.shape) for value in model.get_weights()]
    )
    side = KERAS[name]
    archive = keras.export.ExportArchive()
    archive.track(model)
    spec = tf.TensorSpec([None, side, side, 3], tf.float32, "images")
    archive.add_endpoint("images", lambda images: {"logits": model(images, training=False)}, input_signature=[spec])
    archive.write_out(str(folder), verbose=False)


def newest(base: Path) -> Path:
    return max((child for child in base.iterdir() if child.name.isdecimal()), key=lambda child: int(child.name))


def opened(folder: Path, config: Any = None) -> tuple[Run, tuple[int, ...]]:
    """Return the signature `images` in a session of its own, and the shape of an image."""
    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    with session.graph.as_default():
        signature = tf.compat.v1.saved_model.load(session, ["serve"], str(folder)).signature_def["images"]
    output = next(signature.outputs[name].name for name in OUTPUTS if name in signature.outputs)
    feed = signature.inputs["images"]
    shape = tuple(dim.size for dim in feed.tensor_shape.dim)[1:]
    return (lambda images: session.run(output, {feed.name: images})), shape


def freeze(folder: Path, to: Path) -> None:
    """Save the signature `images` with constants instead of variables."""
    # The variables live as long as the whole model.
    model = tf.saved_model.load(str(folder), tags=["serve"])
    loaded = model.signatures["images"]
    name = next(name for name in OUTPUTS if name in loaded.structured_outputs)
    constant = convert_variables_to_constants_v2(loaded, lower_control_flow=False)
    output = constant.outputs[sorted(loaded.structured_outputs).index(name)]
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        given, numbers = tf.import_graph_def(
            constant.graph.as_graph_def(), return_elements=[constant.inputs[0].name, output.name], name=""
        )
        signature = tf.compat.v1.saved_model.predict_signature_def({"images": given}, {name: numbers})
        builder = tf.compat.v1.saved_model.Builder(str(to))
        builder.add_meta_graph_and_variables(session, ["serve"], {"images": signature})
        builder.save()


def measure(figures: Figures, name: str, folder: Path, temporary: Path, rounds: int) -> None:
    constant = temporary / f"{name}-frozen"
    freeze(folder, constant)
    configs = {"": None}
    if instructions():
        configs[", bfloat16"] = text_format.Parse(CONFIG.read_text(encoding="utf-8"), tf.compat.v1.ConfigProto())
    for words, config in configs.items():
        plain, shape = opened(folder, config)
        ways = {"plain": plain, "frozen": opened(constant, config)[0]}
        for count in BATCHES:
            images = np.random.default_rng(0).random((count, *shape), np.float32)
            answers = {way: run(images) for way, run in ways.items()}
            seconds: dict[str, list[float]] = {way: [] for way in ways}
            for number in range(rounds):
                for way in list(ways)[:: 1 if number % 2 else -1]:
                    started = time.process_time()
                    ways[way](images)
                    seconds[way].append(time.process_time() - started)
            what = f"{name}{words}, batch {count}: processor time of variables against constants"
            gain = ratios(seconds["plain"], seconds["frozen"])
            figures.add(Row(what, gain, at_least=GAIN, reason=SMALL))
            spread = float(np.ptp(answers["plain"]))
            change = float(np.abs(answers["frozen"] - answers["plain"]).max())
            what = f"{name}{words}, batch {count}: largest change of an answer, as a part of their range"
            figures.add(Row(what, [change / spread if spread else 0.0]))
    for words, saved in (("variables", folder), ("constants", constant)):
        command = [sys.executable, __file__, "--peak", str(saved)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures.add(Row(f"{name}: peak memory of a process with {words}", [float(done.stdout)], unit="MB"))


def peak(folder: Path) -> float:
    """Load the model, run one image, and return the most memory of this process, in MB, on Linux."""
    run, shape = opened(folder)
    run(np.zeros((1, *shape), np.float32))
    # The peak of getrusage would be that of the process that started this one, if it is higher.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
