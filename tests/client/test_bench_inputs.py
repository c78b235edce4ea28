"""`hubserve bench` makes the inputs of a model from its metadata."""

from pathlib import Path

import numpy as np
import pytest

from hubserve import ModelMetadata, Signature, TensorSpec, UsageError
from hubserve.wire.arrays import to_array
from hubserve.wire.codec import Requests
from hubserve.wire.predict_pb2 import PredictRequest
from hubserve_bench import inputs

PREDICT = "tensorflow/serving/predict"


def signature(method: str = PREDICT, **specs: TensorSpec) -> Signature:
    return Signature(inputs=specs, outputs={}, method_name=method)


def sent(
    of: Signature, batch_size: int, *shapes: str, images: list[bytes] | None = None
) -> list[dict[str, np.ndarray]]:
    """The arrays of each request that would be sent."""
    planned = inputs.plan(of, inputs.parse_shapes(shapes, of), images_given=images is not None)
    made = inputs.payloads(planned, images or inputs.photographs(None), [batch_size], Requests("m"), "s", seed=0)
    requests = [PredictRequest.FromString(data) for data in made[batch_size]]
    assert all(request.model_spec.signature_name == "s" for request in requests)
    return [{name: to_array(tensor) for name, tensor in request.inputs.items()} for request in requests]


def test_image_bytes_get_the_photograph_that_comes_with_the_command() -> None:
    first, *_ = sent(signature(image_bytes=TensorSpec("string", (None,))), 3)
    assert first["image_bytes"].shape == (3,)
    assert all(image.startswith(b"\xff\xd8\xff") and image.endswith(b"\xff\xd9") for image in first["image_bytes"])


def test_every_image_given_is_in_a_request(tmp_path: Path) -> None:
    files = []
    for number in range(7):
        files.append(str(tmp_path / f"{number}.jpg"))
        Path(files[-1]).write_bytes(b"image %d" % number)
    images = inputs.photographs(files)
    requests = sent(signature(inputs=TensorSpec("string", (None,))), 2, images=images)
    assert {image for request in requests for image in request["inputs"]} == set(images)


def test_other_strings_get_words() -> None:
    first, *_ = sent(signature(text=TensorSpec("string", (None, 2))), 4)
    assert first["text"].shape == (4, 2)
    assert all(b" " in text for text in first["text"].flat)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_floats_are_random_between_0_and_1(dtype: str) -> None:
    requests = sent(signature(images=TensorSpec(dtype, (None, 4, 4, 3))), 2)
    first, second = (request["images"] for request in requests[:2])
    assert first.shape == (2, 4, 4, 3)
    assert first.dtype.name == ("float32" if dtype == "bfloat16" else dtype)
    assert 0 <= first.min() < first.max() <= 1
    assert (first != second).any()


@pytest.mark.parametrize(("dtype", "most"), [("uint8", 255), ("int32", 1), ("int64", 1), ("uint16", 1), ("bool", 1)])
def test_whole_numbers_are_pixels_or_safe_indexes(dtype: str, most: int) -> None:
    first, *_ = sent(signature(x=TensorSpec(dtype, (None, 1000))), 2)
    assert (first["x"].dtype.name, first["x"].shape) == (dtype, (2, 1000))
    assert 0 <= first["x"].min() < first["x"].max() <= most


def test_several_inputs_and_a_scalar_are_all_filled() -> None:
    of = signature(
        ids=TensorSpec("int32", (None, 8)), mask=TensorSpec("int32", (None, None)), training=TensorSpec("bool", ())
    )
    first, *_ = sent(of, 5, "mask=8")
    assert {name: array.shape for name, array in first.items()} == {"ids": (5, 8), "mask": (5, 8), "training": ()}
    assert not first["training"]


def test_open_sizes_are_given_by_shape() -> None:
    first, *_ = sent(signature(images=TensorSpec("float32", (None, None, None, 3))), 2, "8,6,3")
    assert first["images"].shape == (2, 8, 6, 3)
    unknown, *_ = sent(signature(x=TensorSpec("float32", None)), 2, "x=5")
    assert unknown["x"].shape == (2, 5)


@pytest.mark.parametrize(
    ("spec", "shape", "words"),
    [
        ((None, None, None, 3), [], r"x leaves sizes open, \[\?, \?, \?, 3\]: give them, --shape x=SIZE,SIZE,3"),
        (None, [], "the metadata do not give the shape of input x: give its sizes, --shape x=224,224,3"),
        ((None, None, 3), ["x=8,4"], r"--shape x=8,4 does not fit the model's \[\?, \?, 3\]"),
        ((None, None, 3), ["x=8"], r"--shape x=8 does not fit"),
        ((None, None), ["y=8"], "--shape y=8 does not name an input: write INPUT=SIZES, with x"),
        ((None, None), ["x=8x8"], "--shape x=8x8 is not a shape"),
        ((None, None), ["0"], "--shape 0 is not a shape"),
    ],
)
def test_a_shape_that_does_not_do_is_named_with_the_remedy(
    spec: tuple[int | None, ...] | None, shape: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        sent(signature(x=TensorSpec("float32", spec)), 1, *shape)


def test_images_for_a_model_without_strings_are_refused() -> None:
    with pytest.raises(UsageError, match="does not take strings"):
        sent(signature(x=TensorSpec("float32", (None, 2))), 1, images=[b"image"])


def test_a_model_of_one_batch_size_is_asked_with_no_other() -> None:
    planned = inputs.plan(signature(x=TensorSpec("float32", (4, 2))), {}, images_given=False)
    inputs.check_batch_sizes(planned, [4])
    with pytest.raises(UsageError, match="x takes batches of 4: --batch-size 4"):
        inputs.check_batch_sizes(planned, [1, 4])


def test_the_signature_is_the_one_wanted_the_default_or_the_only_one() -> None:
    several = ModelMetadata("m", 1, {"serving_default": signature(), "images": signature()})
    assert inputs.choose_signature(several, None)[0] == "serving_default"
    assert inputs.choose_signature(several, "images")[0] == "images"
    assert inputs.choose_signature(ModelMetadata("m", 1, {"only": signature()}), None)[0] == "only"
    with pytest.raises(
        UsageError, match=r"does not have a signature logits: choose one with --signature \(serving_default, images\)"
    ):
        inputs.choose_signature(several, "logits")


@pytest.mark.parametrize("method", ["tensorflow/serving/classify", "tensorflow/serving/regress", PREDICT])
def test_serialized_examples_cannot_be_made_up(method: str) -> None:
    strings = TensorSpec("string", (None,))
    outputs = {"classes": TensorSpec("string", (None, 5)), "scores": TensorSpec("float32", (None, 5))}
    metadata = ModelMetadata("m", 1, {"classify": Signature({"inputs": strings}, outputs, method)})
    with pytest.raises(UsageError, match=r"takes serialized tf\.Example"):
        inputs.choose_signature(metadata, None)


def test_an_image_that_cannot_be_read_is_named() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.jpg: No such file"):
        inputs.photographs(["nowhere.jpg"])


def test_metadata_that_claim_an_input_of_terabytes_make_no_request() -> None:
    for dtype in ("float32", "string", "uint8", "bool", "int64"):
        signature = Signature({"x": TensorSpec(dtype, (None, 2**40))}, {}, "")
        planned = inputs.plan(signature, {}, images_given=False)
        with pytest.raises(UsageError, match=r"input x of shape .* is more than a message can hold"):
            inputs.payloads(planned, [b"image"], [1], Requests("m"), "s", 0)
