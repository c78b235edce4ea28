"""The kind of a model's numbers is found from the evidence; evidence that disagrees is an error with both sides."""

from collections.abc import Callable

import pytest
import tensorflow as tf

from hubserve_export import ModelError, _model_kind

IMAGES = tf.TensorSpec([None, 4, 4, 3], tf.float32)
HUB = "https://tfhub.dev/google/imagenet/pnasnet_large"


def ending(model: Callable[[tf.Tensor], tf.Tensor]) -> str:
    traced = tf.function(model, input_signature=[IMAGES], autograph=False).get_concrete_function()
    return _model_kind.last_operation(traced.graph.as_graph_def(), traced.outputs[0].name)


def dense(images: tf.Tensor) -> tf.Tensor:
    return tf.nn.bias_add(tf.reshape(images, [-1, 48]) @ tf.ones([48, 5]), tf.ones([5]))


def in_a_function(images: tf.Tensor) -> tf.Tensor:
    both = tf.function(lambda x: (x, tf.squeeze(tf.reduce_mean(x, [1, 2], keepdims=True), [1, 2])), autograph=False)
    outer = tf.function(lambda x: both(x)[1], autograph=False)
    return tf.identity(outer(images))


@pytest.mark.parametrize(
    ("model", "op"),
    [
        (dense, "BiasAdd"),
        (lambda images: tf.nn.softmax(dense(images)), "Softmax"),
        (lambda images: tf.sigmoid(dense(images)), "Sigmoid"),
        (lambda images: tf.reduce_mean(images, [1, 2]), "Mean"),
        (in_a_function, "Mean"),
        (lambda images: images, "Placeholder"),
    ],
    ids=["dense", "softmax", "sigmoid", "pooling", "pooling inside functions", "nothing"],
)
def test_the_operation_that_makes_the_numbers_is_found(model: Callable[[tf.Tensor], tf.Tensor], op: str) -> None:
    assert ending(model) == op


@pytest.mark.parametrize(
    ("handle", "op", "width", "given", "said", "kind"),
    [
        (f"{HUB}/classification/4", "Mean", 1001, None, (), "classification"),
        (f"{HUB}/feature_vector/4", "BiasAdd", 4320, None, (), "feature_vector"),
        ("https://tfhub.dev/tensorflow/efficientnet/b0/feature-vector/1", "BiasAdd", 1280, None, (), "feature_vector"),
        (
            "https://www.kaggle.com/models/google/pnasnet/tensorFlow2/large-feature-vector/2",
            "Add",
            9,
            None,
            (),
            "feature_vector",
        ),
        ("https://www.kaggle.com/models/a/b/tensorFlow2/x-feature-vector/1", "BiasAdd", 9, None, (), "feature_vector"),
        ("https://www.kaggle.com/models/a/b/tensorFlow2/x-classification", "Mean", 9, None, (), "classification"),
        ("https://hub.example.com/flower-classification/feature_vector/1", "Add", 9, None, (), "feature_vector"),
        ("folder", "BiasAdd", 5, None, (), "classification"),
        ("my/classification/models", "Mean", 512, None, (), "feature_vector"),
        ("folder", "Mean", 4320, None, (), "feature_vector"),
        ("folder", "Mean", 1000, None, (), "classification"),
        ("folder", "Relu", 1, None, (), "classification"),
        ("folder", "Mean", 5, None, ("labels",), "classification"),
        ("folder", "Mul", 512, None, (), "classification"),
        ("folder", "Mul", 512, "feature_vector", (), "feature_vector"),
    ],
)
def test_the_strongest_evidence_decides(
    handle: str, op: str, width: int, given: str | None, said: tuple[str, ...], kind: str
) -> None:
    assert _model_kind.choose(handle, op, width, given, said) == kind


@pytest.mark.parametrize(
    ("handle", "op", "given", "said", "says"),
    [
        (
            "folder",
            "Mean",
            "feature_vector",
            ("labels",),
            "`kind` is feature_vector, and `labels` is only for classifiers",
        ),
        (
            f"{HUB}/feature_vector/4",
            "Mean",
            None,
            ("top_k",),
            "`top_k` is only for classifiers, and .* is a feature_vector",
        ),
        (f"{HUB}/classification/4", "Mean", "feature_vector", (), "`kind` is .*, and .* is a classification module"),
        ("folder", "Softmax", "feature_vector", (), "`kind` is feature_vector, and folder ends in a softmax"),
    ],
)
def test_evidence_that_disagrees_shows_both_sides(
    handle: str, op: str, given: str | None, said: tuple[str, ...], says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        _model_kind.choose(handle, op, 8, given, said)
