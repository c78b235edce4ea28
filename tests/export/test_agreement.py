"""Two functions of a model that take images agree on the warm-up images, or one is chosen by the person."""

import numpy as np
import pytest
import tensorflow as tf

from hubserve_export import ModelError, _agreement

LOGITS = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32) * 3


@pytest.mark.parametrize(
    "other",
    [LOGITS, LOGITS + 1e-4, tf.nn.softmax(LOGITS).numpy(), tf.sigmoid(LOGITS).numpy()],
    ids=["the same", "rounded", "their softmax", "their sigmoids"],
)
def test_answers_that_say_the_same_agree(other: np.ndarray) -> None:
    assert list(_agreement.compare("m", "__call__", LOGITS, {"serving_default": other})) == []
    assert list(_agreement.compare("m", "__call__", other, {"serving_default": LOGITS})) == []


def test_different_answers_stop_the_export_until_one_is_chosen() -> None:
    others = {"same": LOGITS, "serving_default": LOGITS[::-1]}
    with pytest.raises(ModelError, match=r"m has two functions .* __call__ and serving_default.*with `signature`"):
        list(_agreement.compare("m", "__call__", LOGITS, others))
    (said,) = _agreement.compare("m", "__call__", LOGITS, others, said=True)
    assert said.startswith("__call__ is exported, as `signature` says; serving_default gives other answers")


def test_another_number_of_outputs_is_reported() -> None:
    (told,) = _agreement.compare("m", "__call__", LOGITS, {"features": np.zeros((4, 9))})
    assert told == "__call__ is exported, which gives 5 numbers; features gives 9, and is not served"
