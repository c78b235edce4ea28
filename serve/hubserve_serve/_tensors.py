"""Convert TensorProtos to numpy and back, as TF Serving reads requests and writes answers."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

# A larger request cannot arrive, so a tensor that claims more was not sent in full: it would fill memory with a few
# bytes and a huge shape.
MAX_BYTES = 2**31 - 1

# TF Serving fills a short list of values up to any shape. Here a message of a few bytes must not take the memory of
# other callers: 64 MiB is a batch of 50 images of 331 x 331 pixels, each channel a float.
MOST_FILLED_BYTES = 2**26
# A string takes a pointer in numpy's array and 24 bytes in TensorFlow's (tstring), before its first character.
_STRING_BYTES = 8 + 24

# Tensor::AsProtoField puts values into the typed field of their dtype. TF Serving answers in this form by default.
_FIELDS = {
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int8: "int_val",
    tf.int16: "int_val",
    tf.int32: "int_val",
    tf.uint8: "int_val",
    tf.uint16: "int_val",
    tf.int64: "int64_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
    tf.float16: "half_val",
    tf.bfloat16: "half_val",
}


def from_proto(proto: tensor_pb2.TensorProto) -> np.ndarray[Any, Any]:
    """Read a tensor.

    Strings become an object array of bytes objects: numpy's ``S`` dtype would cut off trailing zero bytes, and pad
    every image to the longest.

    Raises:
        ValueError: The message is not a valid tensor: its shape is impossible, or its values do not fit shape and
            dtype; or a short list of values stands for more than `MOST_FILLED_BYTES`.
    """
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError("the shape is not fully known")
    count = math.prod(shape)
    try:
        dtype = tf.as_dtype(proto.dtype)
        if count * np.dtype(dtype.as_numpy_dtype).itemsize > MAX_BYTES:
            raise ValueError("the shape is larger than any message")
        value_bytes = _STRING_BYTES if dtype == tf.string else np.dtype(dtype.as_numpy_dtype).itemsize
        # On the wire a value has at least one byte, so a tensor with more values than bytes is a short list.
        if count * value_bytes > MOST_FILLED_BYTES and not proto.tensor_content and count > proto.ByteSize():
            raise ValueError("the shape is much larger than the values sent")
        if dtype == tf.string:
            return _strings(proto, count).reshape(shape)
        if proto.tensor_content:
            # A view of the received bytes; tf.make_ndarray would copy them.
            return np.frombuffer(proto.tensor_content, dtype.as_numpy_dtype).reshape(shape)
        array: np.ndarray[Any, Any] = tf.make_ndarray(_without_the_rest(proto, dtype, count))
    except (KeyError, TypeError) as error:
        raise ValueError(f"the dtype is not one that can be fed: {error}") from error
    return array


def _without_the_rest(proto: tensor_pb2.TensorProto, dtype: tf.DType, count: int) -> tensor_pb2.TensorProto:
    """Drop values beyond the shape, as Tensor::FromProto does and tf.make_ndarray does not."""
    field = _FIELDS.get(dtype)
    if field is None or len(getattr(proto, field)) <= count:
        return proto
    kept = tensor_pb2.TensorProto(dtype=proto.dtype, tensor_shape=proto.tensor_shape)
    getattr(kept, field).extend(getattr(proto, field)[:count])
    return kept


def _strings(proto: tensor_pb2.TensorProto, count: int) -> np.ndarray[Any, Any]:
    if proto.tensor_content:
        raise ValueError("the number of values does not fit the shape")
    # Tensor::FromProto drops values beyond the shape.
    values = list(proto.string_val[:count])
    array = np.empty(count, dtype=object)
    array[: len(values)] = values
    # In Tensor::FromProto, the last value of a short list fills the rest.
    array[len(values) :] = values[-1] if values else b""
    return array


def to_proto(array: np.ndarray[Any, Any]) -> tensor_pb2.TensorProto:
    """Write a tensor in the typed field of its dtype; rare dtypes in the form of TensorFlow's Python code."""
    dtype = tf.as_dtype(array.dtype)
    field = _FIELDS.get(dtype)
    if field is None:
        return tf.make_tensor_proto(array)
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum, tensor_shape=tf.TensorShape(array.shape).as_proto())
    values = array.view(np.uint16) if field == "half_val" else array
    getattr(proto, field).extend(values.ravel().tolist())
    return proto


def dtype_word(dtype: tf.DType) -> str:
    """Return a dtype's name in TensorFlow's C++ error messages: ``float``, not ``float32``."""
    return str(types_pb2.DataType.Name(dtype.as_datatype_enum)).removeprefix("DT_").lower()
