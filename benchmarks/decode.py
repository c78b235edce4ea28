"""Measure what decoding in the exported graph costs, beside plain ways to decode, in the same run.

    .venv/bin/python benchmarks/decode.py

The contenders take turns. Each figure is the median of their ratios round by round, with the middle half beside it.
`--memory` adds the memory that an image of each format takes while it is decoded, each in a process of its own.
"""

from __future__ import annotations

import argparse
import functools
import io
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow as tf
from PIL import Image

import machine
import options
from hubserve_export.decode import batch, exif, jpeg
from hubserve_export.decode.batch import Preprocessing, decode_batch, decode_one
from row import Figures, Row, ratios

SIDE = 331
PREPROCESSING = Preprocessing(SIDE, SIDE)
TESTS = Path(__file__).resolve().parent.parent / "tests"
MEMORY_SIDE = 6000
Decoder = Callable[[tf.Tensor], object]
# glibc as it starts, and after a large block was freed, as in the embedded engine.
ALLOCATORS = ("new", "learned")
SET_UP = (
    "TensorFlow sets up a dataset's function again for every batch: 0.3 to 0.5 ms for an empty one, the rest for the "
    "nodes that reading a JPEG needs. docs/performance.md tells what was done about it, and what was tried"
)
THREADS = (
    "a dataset of several images and its threads take about 3 ms to set up, for 2 images as for 32. Tried: 3 to 8 "
    "images at once on two cores, which is 1.02 x, but would slow down a server with more cores"
)
SHARP = (
    "unpacking coefficients (Huffman coding) cannot be left out, and takes the longer the sharper a photograph is: "
    "'the most that scaling can gain' is libjpeg alone, without our code. Our code adds one look through the file "
    "for its scans, without which a hostile file would cost hours"
)


def main() -> None:
    parser = options.parser(__doc__, rounds=30, quick="two rounds, and the budgets alone")
    parser.add_argument("--memory", action="store_true", help="measure memory too")
    parser.add_argument("--peak", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--batch", choices=ALLOCATORS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        print(peak(Path(arguments.peak)))
        return
    if arguments.batch:
        print(batch_seconds(arguments.batch == "learned"))
        return
    print(machine.described())
    figures = Figures("decode", command=machine.command())
    budgets(figures, 2 if arguments.quick else arguments.rounds)
    if not arguments.quick:
        formats(figures, arguments.rounds)
    if arguments.memory:
        memory(figures)
    if arguments.json:
        figures.write(arguments.json)


def exported() -> Decoder:
    """Return the part of the exported graph that reads image files."""
    return traced(lambda image_bytes: decode_batch(image_bytes, PREPROCESSING))


def inlined() -> Decoder:
    """Return the same with one dataset for every format, all formats inlined into its function."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(batch, "decode_one", lambda data, size, **_: decode_one(data, size)))
        for module in (batch, exif, jpeg):
            stack.enter_context(mock.patch.object(module, "not_inlined", functools.partial))
        return exported()


def mapped(decode: Callable[[tf.Tensor], tf.Tensor]) -> Decoder:
    """Return a plain `tf.map_fn`: one bad image makes all of them fail."""
    return traced(
        lambda image_bytes: tf.map_fn(decode, image_bytes, fn_output_signature=tf.float32, parallel_iterations=32)
    )


def traced(function: Callable[[tf.Tensor], object]) -> Decoder:
    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()


def same_decode(data: tf.Tensor) -> tf.Tensor:
    """Decode one image as the exported graph does, without isolation."""
    return decode_one(data, PREPROCESSING)[1]


def accurate_jpeg(data: tf.Tensor) -> tf.Tensor:
    """Decode a small JPEG to the same pixels, and nothing else: no header, no EXIF, no limit."""
    return resized(tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"))


def any_image(data: tf.Tensor) -> tf.Tensor:
    """Decode as most exported models do, with the antialiasing that most of them lack."""
    return resized(tf.io.decode_image(data, channels=3, expand_animations=False))


def resized(image: tf.Tensor) -> tf.Tensor:
    image = tf.ensure_shape(image, [None, None, 3])
    return tf.image.resize(image, [SIDE, SIDE], antialias=True) / 255.0


def photograph(width: int, height: int) -> Image.Image:
    """Return a part of a photograph, or a mosaic of it and its mirror images: as sharp as it was taken."""
    sys.path.insert(0, str(TESTS))
    from support.photographs import mirrored

    return mirrored(width, height)


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def compare(contenders: dict[str, Decoder], files: list[bytes], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each contender by round: the quicker of two runs."""
    images = tf.constant(files)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 2):
        # The order alternates, so that none always comes after the same one.
        for name in list(contenders)[:: 1 if number % 2 else -1]:
            runs = []
            for _ in range(2):
                started = time.perf_counter()
                contenders[name](images)
                runs.append((time.perf_counter() - started) * 1000)
            times[name].append(min(runs))
    return {name: values[2:] for name, values in times.items()}


def budgets(figures: Figures, rounds: int) -> None:
    small = encoded(photograph(500, 375), "JPEG", quality=90)
    large = encoded(photograph(4032, 3024), "JPEG", quality=90)
    contenders = {"isolating": exported(), "plain": mapped(same_decode), "bare": mapped(accurate_jpeg)}

    times = compare(contenders, [small] * 32, max(rounds // 2, 1))
    what = "500 x 375 JPEG, batch 32: isolating decode against the same under tf.map_fn"
    figures.add(Row(what, ratios(times["isolating"], times["plain"]), at_most=1.05, reason=THREADS))
    what = "the same against decode_jpeg and resize alone: no header, no EXIF, no other format"
    figures.add(Row(what, ratios(times["isolating"], times["bare"])))
    if rounds > 2:
        allocators(figures, max(rounds // 8, 1))
    times = compare(contenders | {"inlined": inlined()}, [small], rounds * 2)
    what = "one 500 x 375 JPEG: isolating decode less the same under tf.map_fn"
    figures.add(Row(what, less(times["isolating"], times["plain"]), unit="ms", at_most=1.0, reason=SET_UP))
    what = "the same less decode_jpeg and resize alone"
    figures.add(Row(what, less(times["isolating"], times["bare"]), unit="ms"))
    what = (
        "how much more one 500 x 375 JPEG would take if all formats were inlined into one function, as they once were"
    )
    figures.add(Row(what, less(times["inlined"], times["isolating"]), unit="ms"))

    scaling = {
        "ours": contenders["isolating"],
        "stock": mapped(any_image),
        "floor": mapped(lambda data: resized(tf.io.decode_jpeg(data, 3, ratio=4, dct_method="INTEGER_ACCURATE"))),
    }
    times = compare(scaling, [large] * 2, max(rounds // 3, 1))
    megabytes = len(large) / 1e6
    what = (
        f"sharp 12-megapixel JPEG of {megabytes:.1f} MB: decode_image and antialiased resize against isolating decode"
    )
    figures.add(Row(what, ratios(times["stock"], times["ours"]), at_least=2.0, reason=SHARP))
    what = "the same against decode_jpeg at 1/4 and resize: the most that scaling can gain"
    figures.add(Row(what, ratios(times["stock"], times["floor"])))
    smooth = encoded(photograph(1008, 756).resize((4032, 3024)), "JPEG", quality=90)
    times = compare(scaling, [smooth] * 2, max(rounds // 3, 1))
    what = f"smooth 12-megapixel JPEG of {len(smooth) / 1e6:.1f} MB: decode_image and resize against isolating decode"
    figures.add(Row(what, ratios(times["stock"], times["ours"]), at_least=2.0, reason=SHARP))


def allocators(figures: Figures, rounds: int) -> None:
    """Measure the gain when glibc keeps the memory of one batch for the next."""
    found: dict[str, list[float]] = {name: [] for name in ALLOCATORS}
    for _ in range(rounds):
        for name, seconds in found.items():
            command = [sys.executable, __file__, "--batch", name]
            seconds.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    what = "the same batch where glibc keeps memory, as in the embedded engine, against glibc as it starts"
    figures.add(Row(what, ratios(found["learned"], found["new"])))


def batch_seconds(learned: bool) -> float:
    """Return the median time of a batch, in a process of its own."""
    if learned:
        bytes(2**25 - 2**16)
    small = encoded(photograph(500, 375), "JPEG", quality=90)
    return statistics.median(compare({"isolating": exported()}, [small] * 32, 15)["isolating"]) / 1000


def less(one: list[float], other: list[float]) -> list[float]:
    return [a - b for a, b in zip(one, other, strict=True)]


def formats(figures: Figures, rounds: int) -> None:
    """Measure each format against `decode_image` and antialiased resize."""
    picture = photograph(500, 375)
    faded = picture.convert("RGBA")
    faded.putalpha(Image.linear_gradient("L").resize(faded.size))
    files = {
        "JPEG": encoded(picture, "JPEG"),
        "JPEG, progressive": encoded(picture, "JPEG", progressive=True),
        "PNG": encoded(picture, "PNG"),
        "PNG, alpha": encoded(faded, "PNG"),
        "GIF": encoded(picture, "GIF"),
        "BMP": encoded(picture, "BMP"),
        "BMP, palette": encoded(picture.quantize(256), "BMP"),
        "WebP": encoded(picture, "WEBP"),
    }
    contenders = {"exported": exported(), "stock": mapped(any_image)}
    for name, data in files.items():
        times = compare(contenders, [data] * 8, max(rounds // 4, 1))
        what = f"{name}, 500 x 375, batch 8: against decode_image and antialiased resize"
        figures.add(Row(what, ratios(times["exported"], times["stock"])))


def memory(figures: Figures) -> None:
    """Measure the bytes for each pixel that a large image takes while it is decoded, at the peak."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (MEMORY_SIDE, MEMORY_SIDE, 4), np.uint8))
    colour, gray = noise.convert("RGB"), noise.convert("L")
    # As few rows as the model takes: the resize works on all of the columns first.
    wide = (MEMORY_SIDE**2 // SIDE, SIDE)
    files = {
        # Too few rows to be decoded at a part of its size.
        "JPEG, 36000 x 1000": (Image.frombytes("RGB", (36_000, 1000), colour.tobytes()), "JPEG", {}),
        "JPEG": (colour, "JPEG", {}),
        "JPEG, progressive, 4:4:4": (colour, "JPEG", {"progressive": True, "subsampling": 0}),
        "PNG": (colour, "PNG", {"compress_level": 1}),
        f"PNG, {wide[0]} x {SIDE}": (Image.frombytes("RGB", wide, colour.tobytes()), "PNG", {"compress_level": 1}),
        "PNG, alpha": (noise, "PNG", {"compress_level": 1}),
        f"PNG, alpha, {wide[0]} x {SIDE}": (
            Image.frombytes("RGBA", wide, noise.tobytes()),
            "PNG",
            {"compress_level": 1},
        ),
        "GIF": (gray, "GIF", {}),
        "BMP": (colour, "BMP", {}),
        "BMP, palette": (gray, "BMP", {}),
        "WebP": (colour, "WEBP", {"method": 0}),
        "WebP, alpha": (noise, "WEBP", {"method": 0}),
    }
    print(f"\nat the peak, besides the file, {MEMORY_SIDE} x {MEMORY_SIDE}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "image")
        for name, (picture, form, options) in files.items():
            file.write_bytes(encoded(picture, form, **options))
            command = [sys.executable, __file__, "--peak", str(file)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            figures.add(Row(f"memory: {name}", [int(done.stdout) / MEMORY_SIDE**2], unit="bytes a pixel"))


def peak(file: Path) -> int:
    """Measure by how many bytes the process grows while it decodes the file, on Linux."""
    decode = exported()
    images = tf.constant([file.read_bytes()])
    for form in ("JPEG", "PNG", "GIF", "BMP", "WEBP"):
        decode(tf.constant([encoded(Image.new("RGB", (8, 8)), form)]))
    # This sets the recorded peak to the present memory.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _memory("VmRSS")
    status = decode(images)[0].numpy()
    if status != [0]:
        sys.exit(f"{file} got status {status}")
    return _memory("VmHWM") - before


def _memory(which: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{which}:\s+(\d+) kB", status)[1]) * 1024


if __name__ == "__main__":
    main()
