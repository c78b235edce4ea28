"""The kind of a classifier's numbers is read from their values; scores are those that the source model gives itself."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from hubserve_export import ModelError, _head

Array = npt.NDArray[np.float32]
LOGITS = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32) * 4


def softmax(logits: Array) -> Array:
    return tf.nn.softmax(logits).numpy()


def sigmoid(logits: Array) -> Array:
    return tf.sigmoid(logits).numpy()


def scores(head: _head.Head, numbers: Array) -> Array:
    return head.scores(head.logits(tf.constant(numbers))).numpy()


@pytest.mark.parametrize(
    ("probabilities", "ending"),
    [
        (softmax(LOGITS), "Softmax"),
        ((softmax(LOGITS) + softmax(LOGITS[::-1])) / 2, "Mul"),
        (softmax(LOGITS).clip(1e-7, 1 - 1e-7), "Minimum"),
        (np.exp(tf.nn.log_softmax(LOGITS).numpy()), "Exp"),
        (np.concatenate([1 - sigmoid(LOGITS[:, :1]), sigmoid(LOGITS[:, :1])], 1), "ConcatV2"),
        (sigmoid(np.concatenate([-LOGITS[:, :1], LOGITS[:, :1]], 1)), "Sigmoid"),
        (softmax(LOGITS) @ np.eye(5, dtype=np.float32), "MatMul"),
        (np.eye(5, dtype=np.float32)[LOGITS.argmax(1)], "OneHot"),
    ],
    ids=[
        "softmax",
        "average of two",
        "clip",
        "exp of log_softmax",
        "[1 - p, p]",
        "sigmoids of -x and x",
        "calibrated by a matrix",
        "hard",
    ],
)
def test_rows_that_sum_to_1_are_probabilities_whatever_made_them(probabilities: Array, ending: str) -> None:
    head = _head.choose(probabilities, ending)
    assert (head.kind, head.activation, head.source_gives) == ("exclusive", "softmax", "probabilities")
    assert head.classes == probabilities.shape[1]
    assert scores(head, probabilities) == pytest.approx(probabilities, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize("half", [tf.float16, tf.bfloat16])
def test_probabilities_of_half_precision_need_not_sum_to_1_exactly(half: tf.DType, classes: int) -> None:
    logits = np.random.default_rng(1).normal(size=(8, classes)).astype(np.float32) * 3
    rounded = tf.cast(tf.nn.softmax(tf.cast(logits, half)), tf.float32).numpy()
    head = _head.choose(rounded, "Cast")
    assert (head.kind, head.source_gives) == ("exclusive", "probabilities")
    assert scores(head, rounded) == pytest.approx(rounded, abs=2e-2)


@pytest.mark.parametrize(
    ("numbers", "ending"),
    [
        (LOGITS, "BiasAdd"),
        (LOGITS / 10, "RealDiv"),
        (tf.nn.log_softmax(LOGITS).numpy(), "LogSoftmax"),
        (np.abs(LOGITS), "Relu"),
        (np.abs(LOGITS) / 100, "BiasAdd"),
    ],
    ids=["logits", "divided by a temperature", "log-probabilities", "none below 0", "small, none below 0"],
)
def test_other_rows_are_logits(numbers: Array, ending: str) -> None:
    head = _head.choose(numbers, ending)
    assert (head.kind, head.activation, head.source_gives) == ("exclusive", "softmax", "logits")
    assert scores(head, numbers) == pytest.approx(softmax(numbers), abs=1e-6)


@pytest.mark.parametrize("ending", ["Sigmoid", "Mul"], ids=["sigmoids", "an average of sigmoids"])
def test_values_between_0_and_1_that_do_not_sum_to_1_are_independent_labels(ending: str) -> None:
    numbers = sigmoid(LOGITS)
    head = _head.choose(numbers, ending, threshold=0.3)
    assert (head.kind, head.activation, head.source_gives) == ("independent", "sigmoid", "probabilities")
    assert head.threshold == 0.3
    assert scores(head, numbers) == pytest.approx(numbers, abs=1e-6)
    assert head.logits(tf.constant(numbers)).numpy() == pytest.approx(LOGITS, abs=1e-3)


def test_two_sigmoids_of_an_untrained_model_are_not_two_classes() -> None:
    numbers = sigmoid(np.random.default_rng(2).normal(size=(4, 2)).astype(np.float32) * 1e-3)
    assert _head.choose(numbers, "Sigmoid").kind == "independent"


def test_independent_labels_from_logits_are_said() -> None:
    head = _head.choose(LOGITS, "BiasAdd", said="sigmoid")
    assert (head.kind, head.activation, head.source_gives) == ("independent", "sigmoid", "logits")
    assert scores(head, LOGITS) == pytest.approx(sigmoid(LOGITS), abs=1e-6)


def test_a_sigmoid_that_was_applied_is_not_applied_again() -> None:
    assert scores(_head.choose(sigmoid(LOGITS), "Sigmoid", said="sigmoid"), sigmoid(LOGITS)) == pytest.approx(
        sigmoid(LOGITS), abs=1e-6
    )


@pytest.mark.parametrize(
    ("unit", "ending", "gives"),
    [(sigmoid(LOGITS[:, :1]), "Sigmoid", "probabilities"), (LOGITS[:, :1], "BiasAdd", "logits")],
)
@pytest.mark.parametrize("said", ["auto", "sigmoid"])
def test_one_unit_tells_two_classes_apart(unit: Array, ending: str, gives: str, said: str) -> None:
    head = _head.choose(unit, ending, labels=2, said=said)
    assert (head.kind, head.activation, head.source_gives, head.classes) == ("binary", "sigmoid", gives, 2)
    p = sigmoid(LOGITS[:, :1])
    assert scores(head, unit) == pytest.approx(np.concatenate([1 - p, p], 1), abs=1e-6)
    assert softmax(head.logits(tf.constant(unit)).numpy())[:, 1:] == pytest.approx(p, abs=1e-6)


def test_certainty_has_finite_logits() -> None:
    sure = np.array([[0.0], [1.0]], np.float32)
    for head, numbers in (
        (_head.choose(sure, "Sigmoid", labels=2), sure),
        (_head.choose(np.array([[0.0, 1.0, 1.0]]), "Sigmoid"), np.array([[0.0, 1.0, 1.0]], np.float32)),
    ):
        assert np.isfinite(head.logits(tf.constant(numbers)).numpy()).all()
        assert set(scores(head, numbers).ravel().round(6)) == {0.0, 1.0}


def test_a_small_logit_of_one_unit_is_not_a_probability() -> None:
    assert _head.choose(np.array([[0.1], [0.2]]), "BiasAdd", labels=2).source_gives == "logits"


@pytest.mark.parametrize("numbers", [LOGITS, sigmoid(LOGITS), softmax(LOGITS)])
def test_with_the_activation_none_the_numbers_are_the_scores(numbers: Array) -> None:
    head = _head.choose(numbers, "Sigmoid", said="none")
    assert (head.activation, head.source_gives) == ("none", "scores")
    assert (scores(head, numbers) == numbers).all()


@pytest.mark.parametrize(
    ("numbers", "gives", "right"),
    [(softmax(LOGITS), "probabilities", softmax(LOGITS)), (sigmoid(LOGITS), "logits", softmax(sigmoid(LOGITS)))],
    ids=["applied already", "said against what it seems"],
)
def test_softmax_is_applied_where_it_was_not(numbers: Array, gives: str, right: Array) -> None:
    head = _head.choose(numbers, "Sigmoid", said="softmax")
    assert (head.kind, head.source_gives) == ("exclusive", gives)
    assert scores(head, numbers) == pytest.approx(right, abs=1e-5)


AGES = np.array([[21.4], [58.1], [34.9]])
BOXES = np.array([[12.5, 30.2, 180.1, 221.7], [3.1, 44.8, 90.5, 160.2], [50.4, 60.1, 99.9, 200.3]])


@pytest.mark.parametrize(
    ("numbers", "ending", "labels", "says"),
    [
        (sigmoid(LOGITS[:, :1]), "Sigmoid", None, "score of the second of two classes: name the two with `labels`"),
        (
            LOGITS[:, :1],
            "BiasAdd",
            None,
            "if it is the logit .* with `kind` feature_vector, a number of another kind, such as an age",
        ),
        (LOGITS[:, :1], "BiasAdd", 8, "tells two classes apart, and `labels` has 8 lines"),
        (AGES, "BiasAdd", None, "from 21.4 to 58.1 on the photographs; if it is the logit"),
        (AGES, "BiasAdd", 2, "a score of 1 for all of them"),
        (AGES, "Relu", 2, "made by Relu, which gives neither a probability nor a logit"),
        (np.tanh(LOGITS[:, :1]), "Tanh", 2, "made by Tanh"),
        (np.ones((4, 1)), "Softmax", 2, "softmax over one number, which is 1 for every image"),
        (np.tanh(LOGITS), "Tanh", 5, "made by a tanh, which gives neither logits nor probabilities"),
        (BOXES, "BiasAdd", 4, "coordinates of boxes or key points"),
        (np.rint(LOGITS * 10), "Round", 5, "made by Round: integers, as counts or class numbers are"),
    ],
    ids=[
        "one sigmoid without labels",
        "one logit without labels",
        "one number and eight labels",
        "ages",
        "ages with two labels",
        "ages of a relu",
        "one tanh",
        "one softmax",
        "tanh",
        "boxes",
        "counts",
    ],
)
def test_numbers_of_no_classifier_are_refused_with_a_reason(
    numbers: Array, ending: str, labels: int | None, says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        _head.choose(numbers, ending, labels)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: _head.choose(LOGITS, "BiasAdd", said="tanh"), "`activation` is 'tanh'; give one of auto"),
        (lambda: _head.choose(LOGITS, "BiasAdd", threshold=0.5), "`threshold` is for independent labels"),
        (lambda: _head.choose(sigmoid(LOGITS), "Sigmoid", threshold=1.5), r"`threshold` is 1.5; give a score"),
        (lambda: _head.choose(LOGITS[:, :1], "BiasAdd", 2, said="softmax"), "`activation` is softmax, and .* one"),
    ],
)
def test_statements_that_cannot_be_are_errors(call: Callable[[], object], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        call()


def test_boxes_that_are_said_to_be_logits_are_taken_for_them() -> None:
    assert _head.choose(BOXES, "BiasAdd", 4, said="softmax").kind == "exclusive"


def test_the_manifest_says_which_head_it_is_and_why() -> None:
    assert _head.choose(sigmoid(LOGITS), "Sigmoid", threshold=0.25).described() == {
        "head": "independent",
        "activation": "sigmoid",
        "source_gives": "probabilities",
        "head_evidence": "its numbers lie between 0 and 1 and do not sum to 1",
        "threshold": 0.25,
    }
