import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2

from serve.calls import Caller


def example(**features: bytes) -> tf.train.Example:
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name.replace("_", "/"): tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for name, value in features.items()
            }
        )
    )


def classification(signature: str, *examples: tf.train.Example) -> classification_pb2.ClassificationRequest:
    message = classification_pb2.ClassificationRequest()
    message.model_spec.name = "toy"
    message.model_spec.signature_name = signature
    message.input.example_list.examples.extend(examples)
    return message


def test_examples_are_classified_each_in_its_place(caller: Caller):
    message = classification("classify", example(image_encoded=b"even"), example(image_encoded=b""))
    response = caller.prediction.Classify(message)
    rows = [[(entry.label, entry.score) for entry in row.classes] for row in response.result.classifications]
    assert rows == [[("cat", 0.5), ("dog", 0.25)], [("", 0.0), ("", 0.0)]]
    assert (response.model_spec.version.value, response.model_spec.signature_name) == (3, "classify")


def test_examples_share_their_context(caller: Caller):
    message = classification("classify")
    shared = message.input.example_list_with_context
    shared.context.CopyFrom(example(image_encoded=b"odd"))
    shared.examples.extend([example(id=b"1"), example(id=b"2")])
    rows = caller.prediction.Classify(message).result.classifications
    assert [row.classes[0].label for row in rows] == ["dog", "dog"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (classification("nope"), "No signature was found with the name: nope"),
        (classification("classify"), "Input is empty."),
        (classification("add", example()), "Expected one input Tensor."),
        (classification("serving_default", example()), "Expected one or two output Tensors, found 4"),
        (classification_pb2.ClassificationRequest(), "Missing ModelSpec"),
    ],
)
def test_what_cannot_be_classified_is_refused_as_tf_serving_refuses_it(caller: Caller, message, words):
    with pytest.raises(grpc.RpcError) as caught:
        caller.prediction.Classify(message)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, words)
