import numpy as np
import pytest

from hubserve import Client, UnsuitableModel
from support import scripted_model
from support.fake_server import FakeServer


def test_each_image_gets_its_vector_and_a_bad_one_gets_none(client: Client, server: FakeServer):
    server.predict = scripted_model.featurize

    results = list(client.features([b"cat", scripted_model.BAD, "nowhere.jpg", b"A"]))

    assert [result.status for result in results] == [0, 1, None, 0]
    assert results[0].vector.dtype == np.float32
    assert [None if result.vector is None else result.vector.tolist() for result in results] == [
        [3, ord("c"), 0.5],
        None,
        None,
        [1, ord("A"), 0.5],
    ]
    assert results[3].model_version == 7
    assert [result.seconds is None for result in results] == [False, False, True, False]


def test_a_model_without_feature_vectors_is_an_error_that_lists_its_outputs(client: Client):
    with pytest.raises(UnsuitableModel, match="has class_ids, labels, scores, status"):
        next(client.features([b"cat"]))
