"""Measure the processor time to decode and resize a photograph, beside Pillow, and of other ways to write the resize.

    .venv/bin/python benchmarks/resize.py

The contenders run in this process and take turns, TensorFlow with one thread for an operation. Pillow decodes as a
careful caller does: with `draft`, which also leaves out detail of a large JPEG. The result of Pillow has 8
bits, that of the graph is float32 in [0, 1].

The other ways to write the resize begin with the decoded image, and must give the same pixels within 1/255. Those that
need weights get them for nothing, so that their figures are the least that they would take.

With `--resize-on accelerator`, the CPU decodes and puts images on a canvas. This part is measured beside the whole, and
the resize itself on the GPU, if TensorFlow has one.
"""

from __future__ import annotations

import dataclasses
import io
import os
import time
from collections.abc import Callable
from unittest import mock

import machine
import options

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from decode import encoded, photograph
from hubserve_export.decode import canvas, filtered
from hubserve_export.decode.batch import Preprocessing, decode_batch
from row import Figures, Row, ratios

# Width, height, and the images of a batch.
SIZES = ((500, 375, 32), (1024, 768, 32), (2048, 1536, 8), (4032, 3024, 8))
SIDES = (224, 331)
MOST = 1.1
UNPACKING = (
    "libjpeg unpacks all coefficients (Huffman coding) at any scale, and the search for further scans, without which a "
    "hostile file would cost hours, reads the whole file once more"
)
TRIANGLE = filtered.Filter("triangle", antialias=True)
Resize = Callable[[tf.Tensor], tf.Tensor]


def main() -> None:
    parser = options.parser(__doc__, rounds=15, quick="two rounds")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print(machine.described())
    figures = Figures("resize", command=machine.command())
    rounds = 2 if arguments.quick else arguments.rounds
    for side in SIDES:
        against_pillow(figures, side, rounds)
    for side in SIDES:
        other_ways(figures, side, rounds)
    for side in SIDES:
        on_accelerator(figures, side, rounds)
    if arguments.json:
        figures.write(arguments.json)


def milliseconds(contenders: dict[str, Callable[[], object]], rounds: int, runs: int = 1) -> dict[str, list[float]]:
    """Return the processor time of a run of each contender, by round."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name in list(contenders)[:: 1 if number % 2 else -1]:
            started = time.process_time()
            for _ in range(runs):
                contenders[name]()
            times[name].append((time.process_time() - started) / runs * 1000)
    return {name: values[1:] for name, values in times.items()}


def against_pillow(figures: Figures, side: int, rounds: int) -> None:
    preprocessing = Preprocessing(side, side)
    graph = traced(lambda image_bytes: decode_batch(image_bytes, preprocessing), tf.TensorSpec([None], tf.string))
    for width, height, count in SIZES:
        file = encoded(photograph(width, height), "JPEG", quality=80)
        images = tf.constant([file] * count)

        def pillow(file: bytes = file, count: int = count) -> None:
            for _ in range(count):
                picture = Image.open(io.BytesIO(file))
                picture.draft("RGB", (2 * side, 2 * side))
                picture.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)

        found = milliseconds({"graph": lambda images=images: graph(images), "pillow": pillow}, rounds)
        what = f"{width} x {height} JPEG of {len(file) // 1000} kB to {side} x {side}, processor time"
        times = ratios(found["graph"], found["pillow"])
        figures.add(Row(f"{what}: the graph against Pillow with draft", times, at_most=MOST, reason=UNPACKING))
        figures.add(Row(f"{what}, an image", [value / count for value in found["graph"]], unit="ms"))


def traced(function: Callable[[tf.Tensor], object], spec: tf.TensorSpec) -> Callable[[tf.Tensor], object]:
    return tf.function(function, input_signature=[spec], autograph=False).get_concrete_function()


def on_accelerator(figures: Figures, side: int, rounds: int) -> None:
    """Measure what is left to the CPU if the accelerator resizes, and the accelerator."""
    width, height, count = SIZES[0]
    file = encoded(photograph(width, height), "JPEG", quality=80)
    images = tf.constant([file] * count)
    spec, here = tf.TensorSpec([None], tf.string), Preprocessing(side, side)
    there = dataclasses.replace(here, resize_on="accelerator")
    whole = traced(lambda image_bytes: decode_batch(image_bytes, here), spec)
    with mock.patch.object(canvas, "resized", lambda pictures, axes, _: (pictures, axes)):
        part = traced(lambda image_bytes: decode_batch(image_bytes, there), spec)
    found = milliseconds({"whole": lambda: whole(images), "part": lambda: part(images)}, rounds)
    size = f"{width} x {height} JPEG of {len(file) // 1000} kB to {side} x {side}, processor time"
    against = "the part of the CPU with --resize-on accelerator against all on the CPU"
    figures.add(Row(f"{size}: {against}", ratios(found["part"], found["whole"])))
    _, (pictures, axes) = part(images)
    what = f"a batch of {count} resized on a GPU against the CPU's part, {width} x {height} to {side} x {side}, seconds"
    if not tf.config.list_physical_devices("GPU"):
        figures.add(Row(what, [], at_most=0.5, reason="TensorFlow has no GPU here"))
        return
    with tf.device("/GPU:0"):
        pictures, axes = tf.identity(pictures), tf.identity(axes)
        resized = tf.function(lambda pictures, axes: canvas.resized(pictures, axes, there), autograph=False)
    taken = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        resized(pictures, axes)[0, 0, 0, 0].numpy()
        taken.append(time.perf_counter() - started)
    cores = os.cpu_count() or 1
    figures.add(Row(what, ratios(taken[1:], [value / 1000 / cores for value in found["part"]]), at_most=0.5))


def other_ways(figures: Figures, side: int, rounds: int) -> None:
    width, height, _ = SIZES[0]
    image = np.asarray(photograph(width, height))
    ways = {name: traced(way, tf.TensorSpec(image.shape, tf.uint8)) for name, way in formulations(image, side).items()}
    pixels = tf.constant(image)
    expected = ways[BOTH](pixels).numpy()
    found = milliseconds({name: lambda way=way: way(pixels) for name, way in ways.items()}, rounds, runs=5)
    for name, way in ways.items():
        if (error := float(np.abs(way(pixels).numpy() - expected).max())) > 1:
            raise SystemExit(f"{name} differs by {error:.3g} of 255")
        if name != BOTH:
            what = f"resize of {width} x {height} to {side} x {side}: {name}, against {BOTH}, processor time"
            figures.add(Row(what, ratios(found[name], found[BOTH])))
    figures.add(Row(f"resize of {width} x {height} to {side} x {side}: {BOTH}", found[BOTH], unit="ms"))


BOTH = "ScaleAndTranslate of both axes"


def formulations(image: npt.NDArray[np.uint8], side: int) -> dict[str, Resize]:
    """Return ways to resize an image of this size to float32 [side, side, 3] in [0, 255]."""
    height, width, _ = image.shape
    down, across = weights(height, side), weights(width, side)

    def pixels_turned(image: tf.Tensor) -> tf.Tensor:
        rows = tf.transpose(tf.reshape(along(tf.reshape(image, [height, -1]), side), [side, width, 3]), [1, 0, 2])
        columns = along(tf.reshape(rows, [width, -1]), side)
        return tf.transpose(tf.reshape(columns, [side, side, 3]), [1, 0, 2])

    def dense(image: tf.Tensor) -> tf.Tensor:
        rows = tf.constant(down) @ tf.cast(tf.reshape(image, [height, -1]), tf.float32)
        return turned_back(tf.constant(across) @ tf.reshape(tf.transpose(rows), [width, -1]), side)

    def sparse(image: tf.Tensor) -> tf.Tensor:
        rows = tf.sparse.sparse_dense_matmul(
            tf.sparse.from_dense(down), tf.cast(tf.reshape(image, [height, -1]), tf.float32)
        )
        columns = tf.reshape(tf.transpose(rows), [width, -1])
        return turned_back(tf.sparse.sparse_dense_matmul(tf.sparse.from_dense(across), columns), side)

    def gathered(image: tf.Tensor) -> tf.Tensor:
        rows = of_taps(tf.reshape(image, [height, -1]), down)
        return turned_back(of_taps(tf.reshape(tf.transpose(rows), [width, -1]), across), side)

    return {
        BOTH: lambda image: tf.image.resize(image, [side, side], antialias=True),
        "one axis at a time, as the graph does": lambda image: filtered.resized(image, (side, side), TRIANGLE),
        "one axis at a time, with pixels transposed instead of numbers": pixels_turned,
        "both axes of a float32 image": lambda image: tf.image.resize(
            tf.cast(image, tf.float32), [side, side], antialias=True
        ),
        "two dense matrix products": dense,
        "two sparse matrix products": sparse,
        "two gathers, and sums of the few pixels that count": gathered,
    }


def weights(length: int, side: int) -> npt.NDArray[np.float32]:
    """Return the weight of each of `length` pixels in each of `side` results: float32 [side, length]."""
    return along(tf.eye(length), side).numpy()


def along(numbers: tf.Tensor, side: int) -> tf.Tensor:
    """Resize the first axis of [n, m]: float32 [side, m]."""
    resized = tf.image.resize(numbers[:, None], [side, 1], antialias=True)
    return resized[:, 0]


def turned_back(columns: tf.Tensor, side: int) -> tf.Tensor:
    return tf.reshape(tf.transpose(tf.reshape(columns, [-1, side])), [side, side, 3])


def of_taps(numbers: tf.Tensor, matrix: npt.NDArray[np.float32]) -> tf.Tensor:
    """Multiply [side, n] by [n, m], through the few numbers of each row that are not 0."""
    count = int((matrix != 0).sum(axis=1).max())
    first = np.minimum((matrix != 0).argmax(axis=1), matrix.shape[1] - count)
    places = first[:, None] + np.arange(count)
    total = tf.zeros([])
    for tap in range(count):
        taken = tf.cast(tf.gather(numbers, places[:, tap]), tf.float32)
        total += taken * matrix[np.arange(len(matrix)), places[:, tap]][:, None]
    return total


if __name__ == "__main__":
    main()
