"""Resizing on the accelerator gives the pixels of the CPU within one level, for every way to resize and every file."""

import dataclasses
import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from click.testing import CliRunner
from tensorflow.core.protobuf import saved_model_pb2

from hubserve_export import Preprocessing, PreprocessingError
from hubserve_export._preprocessing import INTERPOLATIONS, RESIZES
from hubserve_export.command import inspect
from hubserve_export.decode import batch, canvas, resize
from models import exported
from support import decode_memory
from support.image_cases import CASES
from support.once import made_once
from support.photographs import CHELSEA, COFFEE, encoded, image
from support.session import LoadedVersion

HEIGHT, WIDTH = 40, 56
# The last two are too large for the canvas.
SIZES = [(123, 87), (64, 201), (33, 30), (57, 57), (1, 90), (1, 1), (300, 7), (1024, 3), (1025, 20), (9, 3000)]
# One level of 8 bits, and what float32 rounds.
LEVEL = 1 + 1e-3
CUT = {"crop_fraction": 0.8, "pad_color": (114, 10, 200)}
KINDS = [
    {"resize": way, "interpolation": interpolation, "antialias": antialias, **CUT}
    for way in RESIZES
    for interpolation in INTERPOLATIONS
    for antialias in (True, False)
]
WHOLE = [{"resize": way} for way in RESIZES]
Pixels = npt.NDArray[np.float32]


def noise(height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def allowed(kind: dict[str, Any]) -> Preprocessing | None:
    try:
        return Preprocessing(HEIGHT, WIDTH, resize_on="accelerator", **kind)
    except PreprocessingError:
        return None


ALLOWED = [preprocessing for kind in (*KINDS, *WHOLE) if (preprocessing := allowed(kind)) is not None]


def graph(function: Any, *specs: tf.TensorSpec) -> Any:
    return tf.function(function, input_signature=specs, autograph=False)


def on_accelerator(images: Sequence[npt.NDArray[np.uint8]], preprocessing: Preprocessing) -> Pixels:
    """Return the images as one batch, in levels."""
    upright = tf.constant(1)
    fill = graph(lambda one: canvas.filled(one, upright, preprocessing), tf.TensorSpec([None, None, 3], tf.uint8))
    rows = [fill(one) for one in images]
    sides = np.max([picture.shape for picture, _ in rows], axis=0)
    together = np.zeros((len(rows), *sides), np.uint8)
    for place, (picture, _) in zip(together, rows, strict=True):
        place[: picture.shape[0], : picture.shape[1]] = picture
    return canvas.resized(tf.constant(together), tf.stack([axes for _, axes in rows]), preprocessing).numpy() * 255


def described(value: Preprocessing) -> str:
    return "-".join(map(str, (value.resize, value.interpolation, value.antialias, value.crop_fraction)))


@pytest.mark.parametrize("preprocessing", ALLOWED, ids=described)
def test_every_way_to_resize_is_that_of_the_cpu(preprocessing: Preprocessing) -> None:
    images = [noise(*size) for size in SIZES]
    upright = tf.constant(1)
    cpu = graph(lambda one: resize.upright(one, upright, preprocessing), tf.TensorSpec([None, None, 3], tf.uint8))
    for one, picture in zip(images, on_accelerator(images, preprocessing), strict=True):
        assert np.abs(picture - cpu(one).numpy() * 255).max() <= LEVEL, one.shape


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ({"interpolation": "bicubic", "antialias": False}, "bicubic with no antialias"),
        ({"interpolation": "lanczos3", "resize": "pad_to_aspect_ratio"}, "the resize pad_to_aspect_ratio"),
        ({"resize": "pad", "pad_color": (127.5, 0, 0)}, "in 8 bits"),
        ({"resize_on": "gpu"}, "must be one of cpu, accelerator"),
    ],
)
def test_what_8_bits_cannot_hold_is_refused(kind: dict[str, Any], said: str) -> None:
    with pytest.raises(PreprocessingError, match=said):
        Preprocessing(HEIGHT, WIDTH, **{"resize_on": "accelerator", **kind})
    dataclasses.replace(Preprocessing(HEIGHT, WIDTH), **{**kind, "resize_on": "cpu"})


@functools.cache
def decoder(preprocessing: Preprocessing) -> Any:
    return graph(lambda files: batch.decode_batch(files, preprocessing), tf.TensorSpec([None], tf.string))


def decoded(files: Sequence[bytes], resize_on: str = "accelerator") -> tuple[list[int], Pixels]:
    # Not square, so that height and width cannot be confused.
    status, pictures = decoder(Preprocessing(96, 80, resize_on=resize_on))(tf.constant(list(files), tf.string))
    return status.numpy().tolist(), pictures.numpy() * 255


@pytest.mark.parametrize("first", range(0, len(CASES), 32))
def test_every_kind_of_file_is_answered_as_by_the_cpu(first: int) -> None:
    cases = CASES[first : first + 32]
    files = [case.data() for case in cases]
    status, expected = decoded(files, "cpu")
    found_status, found = decoded(files)
    assert found_status == status
    apart = np.abs(found - expected).max(axis=(1, 2, 3))
    assert not {case.name: error for case, error in zip(cases, apart, strict=True) if error > LEVEL}


@pytest.mark.parametrize("files", [[], [b""], [b"x", b"y"], [encoded(image(), "JPEG")]], ids=["no", "1", "2", "good"])
def test_batches_without_neighbours(files: list[bytes]) -> None:
    status, found = decoded(files)
    assert status == decoded(files, "cpu")[0]
    assert found.shape == (len(files), 96, 80, 3)
    assert found.any() == (status == [0])


def test_a_bad_image_leaves_its_neighbours_as_they_are() -> None:
    good = [CHELSEA.read_bytes(), COFFEE.read_bytes(), encoded(image().resize((3, 5)), "PNG")]
    alone = decoded(good)[1]
    status, found = decoded([good[0], b"broken", *good[1:]])
    assert status == [0, 1, 0, 0]
    assert np.abs(found[[0, 2, 3]] - alone).max() < 1e-3
    assert not found[1].any()


def test_a_batch_of_large_images_takes_no_more_than_the_canvas(monkeypatch: pytest.MonkeyPatch) -> None:
    def bytes_of_each(images: tf.Tensor, axes: tf.Tensor, _: Preprocessing) -> tf.Tensor:
        assert images.dtype == tf.uint8
        each = tf.cast(tf.size(images) // tf.size(axes[:, 0, 0]), tf.float32)
        return tf.fill([tf.shape(images)[0], 8, 8, 3], each)

    monkeypatch.setattr(canvas, "resized", bytes_of_each)
    decode = decoder(Preprocessing(8, 8, interpolation="area", resize_on="accelerator"))
    large = [encoded(image().resize(size), "PNG", compress_level=1) for size in [(3000, 2000), (1024, 900), (10, 1025)]]
    status, each = decode(tf.constant([*large, *large, b"broken"]))
    assert status.numpy().tolist() == [0] * 6 + [1]
    assert each.numpy().max() == 1024 * 1024 * 3
    status, each = decode(tf.constant([large[0], encoded(image().resize((300, 129)), "PNG")]))
    assert each.numpy().max() == 384 * 256 * 3


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="a peak can be set back on Linux only")
def test_a_batch_of_the_largest_images_takes_no_more_memory_than_the_guide_says() -> None:
    count, side = 8, 331
    done = subprocess.run(
        [sys.executable, "-m", "support.canvas_memory", str(count), str(side)],
        env={**os.environ, **decode_memory.ALLOCATOR, "PYTHONPATH": "tests"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) <= count * (15 * 2**20 + 20_000 * side)


@pytest.fixture(scope="module")
def served(miniature_saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the small PNASNet with the resize on the accelerator."""
    return made_once(
        tmp_path_factory, "resize-on", lambda base: exported.of(miniature_saved, base, resize_on="accelerator")
    )


def test_an_export_is_proven_recorded_and_shown(served: Path) -> None:
    manifest = json.loads((served / "1/assets.extra/export.json").read_text(encoding="utf-8"))
    assert manifest["preprocessing"]["resize_on"] == "accelerator"
    assert manifest["parity"]["warmup_records"] > 0
    shown = CliRunner().invoke(inspect, [str(served)]).stdout
    assert "images       to 64 x 64, stretched, bilinear, antialiased, resized on the accelerator; " in shown


def test_the_answers_are_those_of_the_cpu(served: Path, miniature_dir: Path) -> None:
    files = [CHELSEA.read_bytes(), b"broken", encoded(image(), "PNG"), encoded(image().resize((1500, 9)), "PNG")]
    cpu, accelerator = (LoadedVersion(base / "1").run("logits", image_bytes=files) for base in (miniature_dir, served))
    assert cpu["status"].tolist() == accelerator["status"].tolist() == [0, 1, 0, 0]
    spread = np.ptp(cpu["logits"][0])
    # The last image is resized on the CPU, and rounded to 8 bits.
    for row, most in ((0, 1e-4), (1, 0), (2, 1e-4), (3, 0.02)):
        assert np.abs(cpu["logits"][row] - accelerator["logits"][row]).max() <= most * spread


def test_the_cpu_decodes_and_tensorflow_places_the_products(served: Path) -> None:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((served / "1/saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    library = {function.signature.name: function for function in graph.library.function}
    nodes = [*graph.node, *(node for function in library.values() for node in function.node_def)]
    datasets = [node for node in nodes if "Dataset" in node.op]
    assert {node.op for node in datasets} >= {"PaddedBatchDatasetV2", "ParallelMapDatasetV2", "MapDataset"}
    assert all("/device:CPU:" in node.device for node in datasets)
    products = [node for node in nodes if node.op == "BatchMatMulV2"]
    assert products
    assert not {node.device for node in products} - {""}
