"""Messages that hubserve writes, read by protobuf; `test_wire` compares the definitions with TF Serving's."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hubserve.wire.arrays import as_array, to_array, to_chunks
from hubserve.wire.model_pb2 import ModelSpec
from hubserve.wire.predict_pb2 import PredictRequest
from hubserve.wire.writer import predict_request, strings

DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8", "c16", ">i4", ">f8"]
names = st.text(max_size=200)


@settings(deadline=None, max_examples=60)
@given(
    model=names,
    images=st.lists(st.binary(max_size=300), max_size=40),
    name=names,
    outputs=st.lists(names, max_size=3),
    version=st.none() | st.integers(1, 2**63 - 1),
)
def test_images_are_written_as_protobuf_writes_them(
    model: str, images: list[bytes], name: str, outputs: list[str], version: int | None
):
    spec = ModelSpec(name=model, signature_name="serving_default")
    if version is not None:
        spec.version.value = version

    data = predict_request(spec.SerializeToString(), {name: strings(images)}, outputs)

    expected = PredictRequest(model_spec=spec, output_filter=outputs)
    tensor = expected.inputs[name]
    tensor.dtype = 7  # type: ignore[assignment]
    tensor.tensor_shape.dim.add(size=len(images))
    tensor.string_val.extend(images)
    assert PredictRequest.FromString(data) == expected
    assert len(data) == expected.ByteSize()


@pytest.mark.parametrize("length", [0, 127, 128, 16383, 16384, 2**21 - 1, 2**21])
def test_lengths_of_every_width_are_right(length: int):
    data = predict_request(b"", {"x": strings([bytes(length), b"end"])})

    assert [len(value) for value in PredictRequest.FromString(data).inputs["x"].string_val] == [length, 3]


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(DTYPES).flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0))))
def test_arrays_come_back_as_they_went(array: np.ndarray):
    data = predict_request(b"", {"x": to_chunks(as_array("x", array))})

    read = to_array(PredictRequest.FromString(data).inputs["x"])

    assert read.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(read, array)


def test_views_and_bfloat16_come_back_as_they_went():
    whole = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    half = np.array([1.5, -2.0], ml_dtypes.bfloat16)
    data = predict_request(b"", {"view": to_chunks(whole.T[::2]), "half": to_chunks(half)})

    inputs = PredictRequest.FromString(data).inputs

    np.testing.assert_array_equal(to_array(inputs["view"]), whole.T[::2])
    assert to_array(inputs["half"]).tolist() == [1.5, -2.0]
