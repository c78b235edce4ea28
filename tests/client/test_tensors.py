"""Tensors against TensorFlow's own reading and writing of them."""

import numpy as np
import pytest

from hubserve import MalformedAnswer, UsageError
from hubserve.wire.arrays import to_array, to_tensor
from hubserve.wire.tensor_pb2 import DT_FLOAT, DT_RESOURCE, DT_STRING, TensorProto
from hubserve.wire.tensors import read_values
from support.serving_messages import tensorflow_or_skip

tf = tensorflow_or_skip()
ml_dtypes = pytest.importorskip("ml_dtypes")  # it comes with TensorFlow

NUMBERS = np.array([[0, 1, 2], [3, 100, 7]])
REALS = [
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
]
DTYPES = [*REALS, "complex64", "complex128"]


def in_fields(values: np.ndarray) -> TensorProto:
    """A tensor as the server writes it by default: values one by one, in the field of their type."""
    proto = tf.make_tensor_proto(values.flat[0], shape=())
    proto.tensor_shape.CopyFrom(tf.TensorShape(values.shape).as_proto())
    for value in values.flat[1:]:
        only_the_value = tf.make_tensor_proto(value)
        only_the_value.ClearField("tensor_shape")
        proto.MergeFrom(only_the_value)
    assert not proto.tensor_content
    return TensorProto.FromString(proto.SerializeToString())


def in_content(values: np.ndarray) -> TensorProto:
    """A tensor as the server writes it with --enable_serialization_as_tensor_content."""
    proto = TensorProto.FromString(tf.io.serialize_tensor(values).numpy())
    assert proto.tensor_content
    return proto


@pytest.mark.parametrize("form", [in_fields, in_content])
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_are_read_in_both_forms(dtype: str, form):
    values = NUMBERS.astype(dtype)

    array = to_array(form(values))

    assert array.dtype == values.dtype
    assert array.flags.writeable
    np.testing.assert_array_equal(array, values)
    if dtype in REALS:
        assert read_values(form(values)) == values.ravel().tolist()


@pytest.mark.parametrize("form", [in_fields, in_content])
def test_bfloat16_is_read_as_float32_of_the_same_value(form):
    values = np.array([[0.5, -3.0], [1e30, 0.0078125]]).astype(ml_dtypes.bfloat16)

    array = to_array(form(values))

    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, values.astype(np.float32))


def test_a_large_answer_in_fields_is_read_value_by_value_the_same():
    values = np.random.default_rng(1).standard_normal((32, 1001), np.float32)
    proto = TensorProto(
        dtype=DT_FLOAT, tensor_shape=to_tensor("x", values).tensor_shape, float_val=values.ravel().tolist()
    )

    np.testing.assert_array_equal(to_array(proto), values)


def test_a_field_is_read_right_when_another_one_is_set_behind_it():
    proto = TensorProto(dtype=DT_FLOAT, float_val=[1, 2], int64_val=[9, 9, 9])
    proto.tensor_shape.dim.add(size=2)

    assert to_array(proto).tolist() == [1, 2]


@pytest.mark.parametrize("values", [[b"a", b"bcd\0\0"], [b"", b"x" * 300], [b"\xff\0", b"\0"]])
def test_strings_are_read_in_both_forms_with_every_byte(values: list[bytes]):
    fields = TensorProto(dtype=DT_STRING, string_val=values)
    fields.tensor_shape.dim.add(size=2)
    content = TensorProto(
        dtype=DT_STRING, tensor_shape=fields.tensor_shape, tensor_content=varints(values) + b"".join(values)
    )

    # The form of strings in tensor_content is TensorFlow's, so TensorFlow has to agree that this is it.
    assert tf.io.parse_tensor(content.SerializeToString(), tf.string).numpy().tolist() == values
    for proto in (fields, content):
        assert to_array(proto).tolist() == values
        assert read_values(proto) == values


def varints(values: list[bytes]) -> bytes:
    return b"".join(bytes([len(v)]) if len(v) < 128 else bytes([len(v) & 127 | 128, len(v) >> 7]) for v in values)


@pytest.mark.parametrize(
    ("values", "size", "filled"),
    [([2.5], 3, [2.5, 2.5, 2.5]), ([1.0, 2.0], 4, [1.0, 2.0, 2.0, 2.0]), ([], 2, [0.0, 0.0])],
)
def test_fewer_values_than_the_shape_asks_for_are_filled_up_as_tensorflow_does(values, size: int, filled: list[float]):
    proto = TensorProto(dtype=DT_FLOAT, float_val=values)
    proto.tensor_shape.dim.add(size=size)

    assert tf.io.parse_tensor(proto.SerializeToString(), tf.float32).numpy().tolist() == filled
    assert read_values(proto) == filled
    assert to_array(proto).tolist() == filled


@pytest.mark.parametrize(
    "broken",
    [
        TensorProto(dtype=DT_FLOAT, float_val=[1, 2]),
        TensorProto(dtype=DT_FLOAT, tensor_content=b"12345"),
        TensorProto(dtype=DT_STRING, tensor_content=b"\x05abc"),
        TensorProto(dtype=DT_STRING, tensor_content=b"\x80"),
        TensorProto(dtype=DT_RESOURCE),
        TensorProto(dtype=99),
    ],
)
@pytest.mark.parametrize("read", [to_array, read_values])
def test_a_tensor_that_contradicts_itself_is_a_malformed_answer(read, broken: TensorProto):
    with pytest.raises(MalformedAnswer):
        read(broken)


@pytest.mark.parametrize("dtype", [*DTYPES, ml_dtypes.bfloat16])
def test_arrays_are_written_as_tensorflow_reads_them(dtype):
    values = NUMBERS.astype(dtype)

    for array in (values, values.T, values[:, ::-1], values.astype(values.dtype.newbyteorder(">"))):
        read = tf.make_ndarray(_as_theirs(to_tensor("x", array)))
        assert read.dtype == values.dtype
        np.testing.assert_array_equal(read, array)


def _as_theirs(proto: TensorProto) -> object:
    return type(tf.make_tensor_proto(0)).FromString(proto.SerializeToString())


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        3,
        True,
        "text",
        b"a\0b\0",
        [1.5, 2],
        [[1, 2], [3, 4]],
        ["a", "é"],
        [b"\0", b"a\0"],
        [2**40],
        [],
        np.float64(2),
    ],
    ids=repr,
)
def test_pythons_own_values_are_written_as_tensorflow_writes_them(value):
    ours = tf.make_ndarray(_as_theirs(to_tensor("x", value)))
    # tf.constant goes by the same rules, and does not lose trailing zero bytes; it refuses only what int32 cannot hold.
    theirs = tf.constant(value, tf.int64 if value == [2**40] else None).numpy()

    assert ours.dtype == np.asarray(theirs, object if isinstance(theirs, bytes) else None).dtype
    assert ours.tolist() == (theirs if isinstance(theirs, bytes) else theirs.tolist())


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([[1], [1, 2]], "the input x has rows of different lengths"),
        (np.array(["2020-01-01"], "datetime64[D]"), "the input x is of type datetime64"),
        (np.array([None]), "the input x holds a NoneType"),
        (["a", 1], "the input x holds a int"),
    ],
)
def test_what_no_tensor_can_hold_is_refused_by_the_name_of_its_input(value, words: str):
    with pytest.raises(UsageError, match=words):
        to_tensor("x", value)


def test_numpys_text_and_bytes_arrays_go_as_strings():
    assert list(to_tensor("x", np.array(["a", "é"])).string_val) == [b"a", "é".encode()]
    assert list(to_tensor("x", np.array([b"a", b"bc"])).string_val) == [b"a", b"bc"]


@pytest.mark.parametrize("read", [to_array, read_values])
@pytest.mark.parametrize(("dtype", "number"), [("uint8", 256), ("uint8", -1), ("int8", 128), ("int16", -40000)])
def test_a_number_that_its_type_cannot_be_is_malformed(read, dtype: str, number: int):
    proto = TensorProto(dtype=tf.as_dtype(dtype).as_datatype_enum, int_val=[number])
    proto.tensor_shape.dim.add(size=1)
    with pytest.raises(MalformedAnswer, match=f"numbers that {dtype} cannot hold"):
        read(proto)
