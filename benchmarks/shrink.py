"""What `shrink=` does: bytes sent, time to decode on the server, time to shrink on the client, and the model's answers.

    .venv/bin/python benchmarks/shrink.py

Photographs of 12 megapixels are read by the graph that decodes in exported models, whole and made smaller, in turn in
one process. The answers are efficientnet-lite0's. No package ships photographs as large: small ones are enlarged, and
the sharp one is a small one with its mirror images.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from PIL import Image

import machine
from hubserve._shrink import shrunk
from hubserve_export._export import Options, export
from hubserve_export.decode.batch import Preprocessing, decode_batch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support import photographs
from support.session import LoadedVersion

WIDTH, HEIGHT = 4032, 3024
PHOTOGRAPHS = {
    "chelsea": photographs.CHELSEA,
    "coffee": photographs.COFFEE,
    "camera": photographs.CAMERA,
    "astronaut": photographs.path("skimage", "data/astronaut.png"),
    "motorcycle": photographs.path("skimage", "data/motorcycle_left.png"),
    "rocket": photographs.path("skimage", "data/rocket.jpg"),
    "grace_hopper": photographs.GRACE_HOPPER,
    "china": photographs.CHINA,
    "flower": photographs.path("sklearn", "datasets/images/flower.jpg"),
}
# What `shrink=True` keeps of a model's input, and what a caller may ask for to send less.
MARGINS = {"shrink=True": 2.0, "shrink=1.25 x the input": 1.25}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="turns for each contender  [default: 15]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    print(machine.described())
    pictures = {
        "a smooth photograph": enlarged(photographs.CHINA),
        "a sharp one": photographs.mirrored(WIDTH, HEIGHT),
    }
    files = {name: photographs.encoded(picture, "JPEG", quality=92) for name, picture in pictures.items()}
    figures: dict[str, object] = {"machine": machine.facts()}
    for side in (224, 331):
        decode = decoder(side)
        for margin, factor in MARGINS.items():
            for name, data in files.items():
                found = costs(decode, data, int(factor * side), arguments.rounds)
                figures[f"{side}, {margin}, {name}"] = found
                print(f"model of {side} x {side}, {margin}, {name} of {len(data) / 1e6:.1f} MB")
                for what, (median, lower, upper) in found.items():
                    print(f"{median:9.2f} ({lower:.2f} to {upper:.2f})  {what}")
    figures["answers"] = answers()
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def enlarged(file: Path) -> Image.Image:
    return photographs.image(file).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def decoder(side: int) -> Callable[[tf.Tensor], object]:
    preprocessing = Preprocessing(side, side)
    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(
        lambda image_bytes: decode_batch(image_bytes, preprocessing), input_signature=signature, autograph=False
    ).get_concrete_function()


def costs(
    decode: Callable[[tf.Tensor], object], data: bytes, size: int, rounds: int
) -> dict[str, tuple[float, float, float]]:
    smaller = shrunk(data, size)
    whole, less = tf.constant([data]), tf.constant([smaller])
    ratios, client = [], []
    for number in range(rounds + 1):
        seconds = {}
        for contender in (whole, less)[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            decode(contender)
            seconds[contender is less] = time.perf_counter() - started
        started = time.perf_counter()
        shrunk(data, size)
        client.append((time.perf_counter() - started) / seconds[False])
        ratios.append(seconds[False] / seconds[True])
    fewer = len(data) / len(smaller)
    return {
        "times fewer bytes": (fewer, fewer, fewer),
        "times less for the server to decode": spread(ratios[1:]),
        "to shrink it, in what the server takes for the whole one": spread(client[1:]),
    }


def spread(values: list[float]) -> tuple[float, float, float]:
    """The median, and the ends of the middle half."""
    lower, median, upper = statistics.quantiles(values, n=4)
    return median, lower, upper


def answers() -> dict[str, dict[str, object]]:
    files = [photographs.encoded(enlarged(file), "JPEG", quality=92) for file in PHOTOGRAPHS.values()]
    found: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder, "lite0")
        export(Options("efficientnet-lite0", base, batch_sizes=(1, len(files))))
        model = LoadedVersion(base / "1")
        logits = model.run("logits", image_bytes=np.array(files, object))["logits"]
        whole = softmax(logits)
        print(f"\nefficientnet-lite0's answers about {len(files)} photographs of 12 megapixels, whole and made smaller")
        for margin, factor in MARGINS.items():
            smaller = [shrunk(data, int(factor * 224)) for data in files]
            less = softmax(model.run("logits", image_bytes=np.array(smaller, object))["logits"])
            same = int((whole.argmax(-1) == less.argmax(-1)).sum())
            change = float(np.abs(whole - less).max())
            found[margin] = {"same best class": same, "of": len(files), "largest change of a score": change}
            print(f"  {margin}: {same} of {len(files)} the same best class, no score changes by more than {change:.3f}")
    return found


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


if __name__ == "__main__":
    main()
