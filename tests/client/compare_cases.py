"""Pairs of model servers, of which the second is equal or broken in a known way, and the verdict of `hubserve compare`.

    python tests/client/compare_cases.py

prints the table of 50 regressions and 50 equal pairs. The models are small, but they are models: they make an image
smaller, scale it, and multiply it with weights. So what is broken is what breaks in practice, and not a list of made-up
answers.
Its exit code is 0 when all are judged rightly.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from hubserve.testing import FakeServer
from hubserve_cli.main import main

CLASSES = 10
SIDE, CUT = 12, 6
IMAGES = 160
SEEDS = 5
Pixels = np.ndarray


@dataclass(frozen=True)
class Model:
    """A model of ten classes: what it does to pixels, its weights, and its labels.

    `cut` makes 6 x 6 of 12 x 12 pixels; `noise` is the share by which scores are off, as by rounding; `fails` tells
    which images it says it cannot decode; `seconds` are what a request takes.
    """

    weights: Pixels
    labels: tuple[str, ...] = tuple(f"class {number}" for number in range(CLASSES))
    first_id: int = 0
    channels: tuple[int, ...] = (0, 1, 2)
    scale: float = 1 / 255
    offset: float = 0.0
    cut: Callable[[Pixels], Pixels] = field(default=lambda pixels: blocks(pixels).mean((2, 4)))
    noise: float = 0.0
    fails: Callable[[Pixels], Pixels] = field(default=lambda pixels: np.zeros(len(pixels), bool))
    seconds: float = 0.0

    def scores(self, pixels: Pixels) -> Pixels:
        small = self.cut(pixels[..., self.channels].astype(np.float64)) * self.scale + self.offset
        logits = small.reshape(len(pixels), -1) @ self.weights
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        if self.noise:
            draw = np.random.default_rng(int(pixels.sum()))
            shares = shares * (1 + self.noise * draw.standard_normal(shares.shape))
        return shares.astype(np.float32)

    def predict(self, signature: str, inputs: dict[str, Pixels]) -> dict[str, Pixels]:
        time.sleep(self.seconds)
        pixels = np.stack([np.frombuffer(image, np.uint8) for image in inputs["image_bytes"]])
        pixels = pixels.reshape(-1, SIDE, SIDE, 3)
        scores = self.scores(pixels)
        order = np.argsort(-scores, axis=1)[:, :5]
        return {
            "status": self.fails(pixels).astype(np.int32),
            "class_ids": (order + self.first_id).astype(np.int32),
            "labels": np.array(self.labels, object)[order],
            "scores": np.take_along_axis(scores, order, 1),
        }


def blocks(pixels: Pixels) -> Pixels:
    return pixels.reshape(len(pixels), CUT, SIDE // CUT, CUT, SIDE // CUT, 3)


def world(seed: int) -> tuple[Model, Callable[[int, int], Pixels]]:
    """A model that knows ten kinds of image, and a function that makes such images."""
    draw = np.random.default_rng(seed)
    kinds = draw.uniform(30, 225, (CLASSES, CUT, CUT, 3))
    # The same colours in other channels: who swaps them mistakes one for the other.
    kinds[1::2] = kinds[::2][..., ::-1]

    def images(count: int, number: int) -> Pixels:
        make = np.random.default_rng((seed, number))
        of = make.integers(0, CLASSES, count)
        clean = kinds[of].repeat(2, 1).repeat(2, 2)
        contrast = make.uniform(0.35, 1, (count, 1, 1, 1))
        pixels = (clean - 127) * contrast + 127 + make.normal(0, 60, clean.shape)
        return np.clip(pixels, 0, 255).astype(np.uint8)

    flat = kinds.reshape(CLASSES, -1) / 255
    weights = (flat - flat.mean(0)).T * 2.2
    return Model(weights), images


def quantized(weights: Pixels, levels: int) -> Pixels:
    step = np.abs(weights).max() / levels
    return np.round(weights / step) * step


def without(weights: Pixels, broken: int) -> Pixels:
    kept = weights.copy()
    kept[:, broken] = weights.min() * 4
    return kept


def some(share: float) -> Callable[[Pixels], Pixels]:
    return lambda pixels: pixels.reshape(len(pixels), -1).astype(np.int64).sum(1) % 1000 < 1000 * share


LABELS = tuple(f"class {number}" for number in range(CLASSES))
# What is broken in B, for a model A and a seed.
BROKEN: dict[str, Callable[[Model, int], Model]] = {
    "permuted label file": lambda a, seed: replace(a, labels=tuple(np.random.default_rng(seed).permutation(LABELS))),
    "off by one background class": lambda a, _: replace(a, labels=("background", *LABELS[:-1])),
    "class ids off by one": lambda a, _: replace(a, first_id=1),
    "BGR": lambda a, _: replace(a, channels=(2, 1, 0)),
    "wrong scale": lambda a, seed: replace(
        a, scale=(1 / 255**2, 1.0, 2 / 255, 1 / 127.5, 1 / 1275)[seed % 5], offset=-0.3
    ),
    "quantized weights with flips": lambda a, seed: replace(a, weights=quantized(a.weights, 1 + seed % 2)),
    "one class broken": lambda a, seed: replace(a, weights=without(a.weights, seed % CLASSES)),
    "another resize": lambda a, seed: replace(a, cut=lambda pixels: blocks(pixels)[:, :, seed % 2, :, 0]),
    "failures for some images": lambda a, seed: replace(a, fails=some(0.03 + 0.02 * (seed % 5))),
    "slow answers": lambda a, seed: replace(a, seconds=(5 + seed % 5) * a.seconds),
}
NOISES = (0.0, 1e-7, 1e-6, 1e-5, 1e-4)


@contextmanager
def served(*models: Model) -> Iterator[list[str]]:
    servers = [FakeServer(predict=model.predict, threads=4) for model in models]
    try:
        for server in servers:
            server.start()
        yield [f"{server.target}/m" for server in servers]
    finally:
        for server in servers:
            server.stop()


def compared(a: Model, b: Model, images: Pixels, *options: str) -> tuple[int, str]:
    """The command's exit code and output."""
    with tempfile.TemporaryDirectory() as folder, served(a, b) as sides:
        for number, image in enumerate(images):
            Path(folder, f"{number:04}.jpg").write_bytes(image.tobytes())
        result = CliRunner().invoke(main, ["compare", *sides, folder, *options])
    return result.exit_code, result.output


def regressions(seeds: range = range(SEEDS)) -> Iterator[tuple[str, Model, Model, Pixels]]:
    for kind, broken in BROKEN.items():
        for seed in seeds:
            a, images = world(seed)
            if kind == "slow answers":
                # Long enough that a busy machine, which delays both, does not hide it.
                a = replace(a, seconds=0.1)
            yield f"{kind}, {seed}", a, broken(a, seed), images(IMAGES if not a.seconds else IMAGES // 2, 1)


def equals(seeds: range = range(50)) -> Iterator[tuple[str, Model, Model, Pixels]]:
    for seed in seeds:
        a, images = world(1000 + seed)
        # Some images fail in both; both wait as long.
        a = replace(a, fails=some(0.02 * (seed % 3)), seconds=0.002 * (seed % 2))
        noise = NOISES[seed % len(NOISES)]
        yield f"equal, noise {noise:g}, {seed}", a, replace(a, noise=noise), images(IMAGES, 1)


def main_() -> int:
    wrong = 0
    for cases, wanted in ((regressions(), 4), (equals(), 0)):
        right = total = 0
        for name, a, b, images in cases:
            code, output = compared(a, b, images)
            flips = (a.scores(images).argmax(1) != b.scores(images).argmax(1)).mean()
            print(f"{name:36} {flips:6.1%} other best class  exit {code}  {output.splitlines()[-1]}", flush=True)
            right += code == wanted
            total += 1
        print(f"{right} of {total} {'regressions found' if wanted else 'equal pairs let through'}", flush=True)
        wrong += total - right
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main_())
