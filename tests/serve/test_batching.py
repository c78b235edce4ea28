from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import tensorflow as tf

from hubserve_model.batching_parameters import BatchingParameters
from hubserve_serve import RequestError
from hubserve_serve._batching import BatchingSession
from hubserve_serve._session import SavedModelSession


@pytest.fixture
def sessions(toy):
    """The toy's session, with a batching session in front of it."""
    model = SavedModelSession(toy)
    yield model, BatchingSession(model, BatchingParameters(max_batch_size=4, max_execution_batch_size=4))
    model.close()


def one_image(model: SavedModelSession, signature: str) -> dict[str, np.ndarray]:
    return {model.signatures[signature].inputs["image_bytes"].name: np.array([b"x"], dtype=object)}


def test_a_batch_whose_callers_all_came_too_late_is_reported_in_tf_servings_words(sessions):
    model, batching = sessions
    feeds, fetches = one_image(model, "echo"), [model.signatures["echo"].outputs["run"].name]
    with pytest.raises(RequestError) as caught:
        batching.run(feeds, fetches, timeout=-1)
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.words == "Run() timeout exceeded while waiting in batching queue"
    assert batching.run(feeds, fetches, timeout=60)[0].tolist() == [1]


def test_more_rows_than_a_batch_are_refused_before_they_are_fed(sessions):
    model, batching = sessions
    # No memory stands behind these rows: a copy of them takes 24 bytes for each.
    rows = np.broadcast_to(np.array(b"x", dtype=object), [2**27])
    with pytest.raises(RequestError) as caught:
        batching.run({model.signatures["echo"].inputs["image_bytes"].name: rows}, ["no such tensor"])
    assert caught.value.words == f"Task size {2**27} is larger than maximum input batch size 4"


def test_a_failing_batch_tells_the_models_error_and_names_nothing_of_ours(sessions):
    model, batching = sessions
    with pytest.raises(RequestError) as caught:
        batching.run(one_image(model, "failing"), [model.signatures["failing"].outputs["echo"].name])
    assert caught.value.words.startswith("assertion failed: [no such image]")
    assert "batching" not in caught.value.words
    assert "BatchFunction" not in caught.value.words


def test_a_batch_is_run_under_the_session_config(tmp_path):
    class Layers(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernels = [tf.Variable(tf.random.stateless_normal([64, 64], [seed, 0]) / 8) for seed in range(4)]

        @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32, "x")])
        def call(self, x):
            for kernel in self.kernels:
                x = tf.nn.relu(x @ kernel)
            return {"y": x}

    layers = Layers()
    tf.saved_model.save(layers, str(tmp_path), signatures=layers.call)
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = 1
    x = np.random.default_rng(0).normal(size=(4, 64)).astype(np.float32)

    def answer(config, batched) -> np.ndarray:
        model = SavedModelSession(tmp_path, config)
        session = BatchingSession(model, BatchingParameters(4, 4)) if batched else model
        signature = model.signatures["serving_default"]
        (y,) = session.run({signature.inputs["x"].name: x}, [signature.outputs["y"].name])
        model.close()
        return y

    float32, bfloat16 = answer(None, batched=True), answer(config, batched=False)
    if np.array_equal(float32, bfloat16):
        pytest.skip("TensorFlow does not use bfloat16 on this processor")
    np.testing.assert_array_equal(answer(config, batched=True), bfloat16)


def test_callers_whose_rows_have_different_shapes_are_told_so_in_tf_servings_words(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
    def total(x):
        return {"total": tf.reduce_sum(x, axis=1)}

    module = tf.Module()
    module.total = total
    tf.saved_model.save(module, str(tmp_path), signatures=total)
    model = SavedModelSession(tmp_path)
    batching = BatchingSession(model, BatchingParameters(2, 2, batch_timeout_micros=3_600_000_000))
    signature = model.signatures["serving_default"]

    def ask(columns: int) -> Exception | None:
        x = np.ones((1, columns), np.float32)
        try:
            batching.run({signature.inputs["x"].name: x}, [signature.outputs["total"].name])
        except RequestError as error:
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        errors = list(pool.map(ask, (2, 3)))
    batching.close()
    for error in errors:
        assert isinstance(error, RequestError)
        assert error.code is grpc.StatusCode.FAILED_PRECONDITION
        assert "from different tasks have different shapes and padding is turned off" in error.words
