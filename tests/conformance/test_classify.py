"""Classify: tf.Examples in, labels and scores out.

Release 2.20.0: `servables/tensorflow/classifier.cc`, and `util.cc` (InputToSerializedExampleTensor).
"""

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2

from conformance.subject import DEFAULT, IMAGES, Subject, refusal
from serve.calls import PATIENCE, Caller


def example(**features: bytes) -> tf.train.Example:
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name.replace("_", "/"): tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for name, value in features.items()
            }
        )
    )


def classification(model: str, signature: str, *examples: tf.train.Example) -> classification_pb2.ClassificationRequest:
    message = classification_pb2.ClassificationRequest()
    message.model_spec.name = model
    message.model_spec.signature_name = signature
    message.input.example_list.examples.extend(examples)
    return message


@pytest.fixture
def classifying(subject: Subject) -> str:
    """The name of the signature that classifies."""
    if "classify" not in subject.signatures:
        pytest.skip("needs a model with a signature `classify`")
    return "classify"


def test_every_example_is_classified_in_its_place(subject: Subject, classifying: str):
    examples = [example(image_encoded=image) for image in (IMAGES[0], b"")]
    response = subject.caller.prediction.Classify(
        classification(subject.model, classifying, *examples), timeout=PATIENCE
    )
    good, bad = response.result.classifications
    predicted = subject.predict(subject.request()).outputs
    assert [entry.label.encode() for entry in good.classes] == list(predicted["labels"].string_val)
    assert [entry.score for entry in good.classes] == pytest.approx(list(predicted["scores"].float_val), abs=1e-5)
    assert {(entry.label, entry.score) for entry in bad.classes} == {("", 0.0)}


def test_the_answer_names_the_signature_and_the_version(subject: Subject, classifying: str):
    message = classification(subject.model, classifying, example(image_encoded=IMAGES[0]))
    spec = subject.caller.prediction.Classify(message, timeout=PATIENCE).model_spec
    assert (spec.name, spec.signature_name) == (subject.model, classifying)
    assert spec.version.value == subject.version


def test_examples_share_their_context(toy_caller: Caller):
    message = classification("toy", "classify")
    shared = message.input.example_list_with_context
    shared.context.CopyFrom(example(image_encoded=b"odd"))
    shared.examples.extend([example(id=b"1"), example(id=b"2")])
    rows = toy_caller.prediction.Classify(message, timeout=PATIENCE).result.classifications
    assert [row.classes[0].label for row in rows] == ["dog", "dog"]


def test_no_model_spec(subject: Subject):
    message = classification_pb2.ClassificationRequest()
    assert refusal(subject.caller.prediction.Classify, message) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Missing ModelSpec",
    )


def test_a_signature_that_is_not_there(subject: Subject):
    """classifier.cc."""
    message = classification(subject.model, "no_such_signature", example())
    code, words = refusal(subject.caller.prediction.Classify, message)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert words == "No signature was found with the name: no_such_signature"


def test_no_examples(subject: Subject, classifying: str):
    """util.cc, InputToSerializedExampleTensor."""
    message = classification(subject.model, classifying)
    code, words = refusal(subject.caller.prediction.Classify, message)
    assert (code, words) == (grpc.StatusCode.INVALID_ARGUMENT, "Input is empty.")


def test_a_signature_with_several_inputs(toy_caller: Caller):
    """classifier.cc."""
    message = classification("toy", "subtract", example())
    code, words = refusal(toy_caller.prediction.Classify, message)
    assert (code, words) == (grpc.StatusCode.INVALID_ARGUMENT, "Expected one input Tensor.")


def test_a_signature_with_too_many_outputs(toy_caller: Caller):
    """classifier.cc."""
    code, words = refusal(toy_caller.prediction.Classify, classification("toy", DEFAULT, example()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert words == "Expected one or two output Tensors, found 4"
