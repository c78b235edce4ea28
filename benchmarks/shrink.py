"""Measure what `shrink=` does: bytes sent, time on the server, time on the client, and the model's answers.

    .venv/bin/python benchmarks/shrink.py

The graph that decodes in exported models reads photographs of 12 megapixels, whole and shrunk, in turn in one process.
The answers are efficientnet-lite0's. No package contains photographs as large: small ones are enlarged, and the sharp
one is a mosaic of a small one and its mirror images.
"""

from __future__ import annotations

import os
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
import options
from hubserve._images.downscale import shrunk
from hubserve_export import Options, export
from hubserve_export.decode.batch import Preprocessing, decode_batch
from row import Figures, Row

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
# The pixels that `shrink=True` keeps, as multiples of a model's input, and those that a caller may choose to send less.
MARGINS = {"shrink=True": 2.0, "shrink=1.25 x the input": 1.25}


def main() -> None:
    parser = options.parser(__doc__, rounds=3, quick="one round")
    arguments = parser.parse_args()
    print(machine.described())
    figures = Figures("shrink", command=machine.command())
    files = {
        "a smooth photograph": photographs.encoded(enlarged(photographs.CHINA), "JPEG", quality=92),
        "a sharp one": photographs.encoded(photographs.mirrored(WIDTH, HEIGHT), "JPEG", quality=92),
    }
    for side in (224, 331):
        decode = decoder(side)
        for margin, factor in MARGINS.items():
            for name, data in files.items():
                about = f"{margin}, model of {side} x {side}, {name} of {len(data) / 1e6:.1f} MB"
                costs(figures, about, decode, data, int(factor * side), 1 if arguments.quick else arguments.rounds)
    answers(figures)
    if arguments.json:
        figures.write(arguments.json)


def enlarged(file: Path) -> Image.Image:
    return photographs.image(file).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def decoder(side: int) -> Callable[[tf.Tensor], object]:
    preprocessing = Preprocessing(side, side)
    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(
        lambda image_bytes: decode_batch(image_bytes, preprocessing), input_signature=signature, autograph=False
    ).get_concrete_function()


def costs(
    figures: Figures, about: str, decode: Callable[[tf.Tensor], object], data: bytes, size: int, rounds: int
) -> None:
    smaller = shrunk(data, size)
    whole, less = tf.constant([data]), tf.constant([smaller])
    server, client = [], []
    for number in range(rounds + 1):
        seconds = {}
        for contender in (whole, less)[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            decode(contender)
            seconds[contender is less] = time.perf_counter() - started
        started = time.perf_counter()
        shrunk(data, size)
        client.append((time.perf_counter() - started) / seconds[False])
        server.append(seconds[False] / seconds[True])
    figures.add(Row(f"{about}: bytes, whole against shrunk", [len(data) / len(smaller)]))
    figures.add(Row(f"{about}: the server's decoding, whole against shrunk", server[1:]))
    figures.add(Row(f"{about}: shrinking on the client, against the server's decoding of the whole", client[1:]))


def answers(figures: Figures) -> None:
    files = [photographs.encoded(enlarged(file), "JPEG", quality=92) for file in PHOTOGRAPHS.values()]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder, "lite0")
        export(Options("efficientnet-lite0", base, batch_sizes=(1, len(files))))
        model = LoadedVersion(base / "1")
        whole = softmax(model.run("logits", image_bytes=files)["logits"])
        for margin, factor in MARGINS.items():
            smaller = [shrunk(data, int(factor * 224)) for data in files]
            less = softmax(model.run("logits", image_bytes=smaller)["logits"])
            same = float((whole.argmax(-1) == less.argmax(-1)).mean())
            about = f"{margin}, efficientnet-lite0's answers to {len(files)} photographs of 12 megapixels"
            figures.add(Row(f"{about}: the same best class", [same * 100], unit="%"))
            figures.add(Row(f"{about}: the largest change of a score", [float(np.abs(whole - less).max())], unit=""))


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


if __name__ == "__main__":
    main()
