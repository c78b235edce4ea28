import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from hubserve_serve._tensors import MOST_FILLED_BYTES, dtype_word, from_proto, to_proto

DTYPES = [
    tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int8, tf.int16, tf.int32, tf.int64,
    tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.bool, tf.complex64,
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
def test_every_dtype_survives_the_wire(dtype):
    array = np.array([[0, 1, 3], [5, 7, 100]]).astype(dtype.as_numpy_dtype)
    proto = to_proto(array)
    assert proto.dtype == dtype.as_datatype_enum
    assert not proto.tensor_content
    for reader in (tf.make_ndarray, from_proto):
        assert reader(proto).dtype == array.dtype
        np.testing.assert_array_equal(reader(proto), array)


def test_strings_survive_the_wire_whole():
    array = np.array([[b"a\0", b""], [b"\xff", b"bc"]], dtype=object)
    assert from_proto(to_proto(array)).tolist() == array.tolist()


def test_a_short_list_of_strings_is_filled_with_its_last():
    proto = to_proto(np.array([b"a", b"b"], dtype=object))
    proto.tensor_shape.dim[0].size = 4
    assert from_proto(proto).tolist() == [b"a", b"b", b"b", b"b"]


@pytest.mark.parametrize(
    "proto",
    [
        tensor_pb2.TensorProto(),
        tensor_pb2.TensorProto(dtype=types_pb2.DT_RESOURCE),
        tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape={"unknown_rank": True}),
        tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape={"dim": [{"size": -1}]}, float_val=[1]),
        tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape={"dim": [{"size": 2}]}, tensor_content=b"abc"),
        tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape={"dim": [{"size": 2**40}]}),
    ],
    ids=["no dtype", "resource", "no rank", "negative", "odd content", "vast"],
)
def test_a_message_that_is_not_a_tensor_is_refused(proto):
    with pytest.raises(ValueError):  # noqa: PT011 - the caller is told only that it cannot be parsed
        from_proto(proto)


def test_values_beyond_the_shape_are_dropped():
    """Tensor::FromProto in TensorFlow's tensor.cc does the same."""
    numbers = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape={"dim": [{"size": 1}]}, float_val=[1, 2])
    assert from_proto(numbers).tolist() == [1]
    words = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING, tensor_shape={"dim": [{"size": 1}]}, string_val=[b"a", b"b"]
    )
    assert from_proto(words).tolist() == [b"a"]


@pytest.mark.parametrize("values", [[], [b"x"]])
def test_a_few_bytes_do_not_stand_for_a_vast_tensor_of_strings(values):
    proto = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING, tensor_shape={"dim": [{"size": 2**27}]}, string_val=values
    )
    with pytest.raises(ValueError, match="much larger than the values sent"):
        from_proto(proto)


def test_a_short_list_of_numbers_is_filled_up_to_a_bound():
    proto = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_FLOAT, tensor_shape={"dim": [{"size": MOST_FILLED_BYTES // 4}]}, float_val=[0.5]
    )
    assert (from_proto(proto) == 0.5).all()
    proto.tensor_shape.dim[0].size += 1
    with pytest.raises(ValueError, match="much larger than the values sent"):
        from_proto(proto)


def test_values_that_are_all_there_may_be_more_than_the_bound():
    array = np.zeros(MOST_FILLED_BYTES + 1, np.uint8)
    proto = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_UINT8, tensor_shape={"dim": [{"size": array.size}]}, tensor_content=array.tobytes()
    )
    assert from_proto(proto).shape == array.shape


def test_dtypes_are_named_as_in_cpp():
    assert [dtype_word(dtype) for dtype in (tf.string, tf.float32, tf.float64, tf.uint8)] == [
        "string",
        "float",
        "double",
        "uint8",
    ]
