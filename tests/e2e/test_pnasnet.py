"""PNASNet-5 at full size, from the hub's form to answers over gRPC: export, serve and client, as a user runs them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub

from hubserve import Client
from models import pnasnet
from support.decoding import decode
from support.photographs import CHELSEA, COFFEE, GRACE_HOPPER
from support.processes import hubserve, serving

pytestmark = pytest.mark.slow

PHOTOGRAPHS = [CHELSEA, COFFEE, GRACE_HOPPER]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hub's reusable SavedModel, 331 x 331, 1001 classes, 86 million parameters."""
    folder = tmp_path_factory.mktemp("hub") / "pnasnet_large"
    pnasnet.Pnasnet(pnasnet.LARGE).save(folder)
    return folder


@pytest.fixture(scope="module")
def client(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    base = tmp_path_factory.mktemp("models") / "pnasnet"
    done = hubserve("export", saved, "--output", base, "--batch-sizes", "1,3")
    assert done.returncode == 0, done.stderr
    with serving(base) as target, Client(target, model="pnasnet", timeout=120, max_batch_size=3) as client:
        yield client


@pytest.fixture(scope="module")
def expected(saved: Path) -> np.ndarray:
    """The source model's own logits for the photographs, as the hub's library loads it."""
    _, pixels = decode(*(path.read_bytes() for path in PHOTOGRAPHS), height=331, width=331)
    source = hub.load(str(saved))
    return source(tf.constant(pixels / 255, tf.float32), training=False).numpy()


def test_logits_are_the_source_models_own(client: Client, expected: np.ndarray) -> None:
    answer = client.predict({"image_bytes": [path.read_bytes() for path in PHOTOGRAPHS]}, signature="logits")
    assert answer["status"].tolist() == [0, 0, 0]
    assert answer["logits"].shape == (3, 1001)
    spread = expected.max(axis=1) - expected.min(axis=1)
    assert (np.abs(answer["logits"] - expected).max(axis=1) / spread).max() <= 1e-4


def test_classes_are_the_source_models_best_five(client: Client, expected: np.ndarray) -> None:
    results = list(client.classify(PHOTOGRAPHS))
    best = np.argsort(-expected, axis=1)[:, :5]
    assert [[found.class_id for found in result.classes] for result in results] == best.tolist()
    softmax = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    for result, row, ids in zip(results, softmax, best, strict=True):
        assert [found.score for found in result.classes] == pytest.approx(row[ids].tolist(), abs=1e-4)
    assert len({result.label for result in results}) > 1


def test_one_undecodable_image_does_not_disturb_its_neighbours(client: Client, expected: np.ndarray) -> None:
    first, bad, last = client.classify([CHELSEA, b"not an image", GRACE_HOPPER])
    assert (first.ok, bad.ok, last.ok) == (True, False, True)
    assert bad.status == 1
    assert [first.classes[0].class_id, last.classes[0].class_id] == expected.argmax(axis=1)[[0, 2]].tolist()
