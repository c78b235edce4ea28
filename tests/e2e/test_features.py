"""Feature vectors over gRPC: a hub module is exported, served by the embedded engine, and called by the client."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub

from hubserve import Client
from models import pnasnet
from support.decoding import decode
from support.photographs import CHELSEA, COFFEE
from support.processes import serving

pytestmark = pytest.mark.slow

SIZE = pnasnet.MINIATURE.image_size


def test_the_client_gets_the_modules_own_vectors_and_none_for_a_bad_image(
    features_saved: Path, features_dir: Path
) -> None:
    with serving(features_dir) as target, Client(target, model="features") as client:
        first, bad, last = client.features([CHELSEA, b"not an image", COFFEE])
    assert [first.status, bad.status, last.status] == [0, 1, 0]
    assert bad.vector is None
    _, levels = decode(CHELSEA.read_bytes(), COFFEE.read_bytes(), height=SIZE, width=SIZE)
    module = hub.load(str(features_saved))
    expected = module(tf.constant(levels / 255, tf.float32), training=False).numpy()
    assert expected.shape == (2, pnasnet.MINIATURE.features)
    assert np.allclose([first.vector, last.vector], expected, rtol=1e-4, atol=1e-5)
