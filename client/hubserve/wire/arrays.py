"""Tensors on the wire as numpy arrays. This module imports numpy, and is imported only when an array is needed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import check_text
from .._errors import MalformedAnswer, UsageError
from .tensor_pb2 import TensorProto
from .tensors import ELEMENTS, bound_filling, dtype_name, fill, out_of_range, shape_of, split_strings, unfilled
from .writer import Chunks, block, strings

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_DTYPES = {element.name: dtype for dtype, element in ELEMENTS.items()}
# numpy does not have bfloat16, which is the upper half of a float32.
_BFLOAT16_BITS = np.dtype("<u2")


def to_tensor(name: str, value: ArrayLike) -> TensorProto:
    """Convert an array, a number, a string or a nested list of them, as `as_array` and `to_chunks` do.

    Raises:
        UsageError: A tensor cannot hold the value.
    """
    return TensorProto.FromString(b"".join(to_chunks(as_array(name, value))))


def as_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """Convert a value to an array that a tensor can hold: of numbers, or of objects that are all bytes.

    Python numbers become int32 and float32, as in TensorFlow (int64 if int32 is too small); arrays keep their type.
    Strings become UTF-8. bfloat16 arrays are those of the package ml_dtypes.

    Args:
        name: The input's name, for the error.
        value: What to send, of any shape.

    Raises:
        UsageError: A tensor cannot hold the value.
    """
    array = _any_array(name, value)
    if array.dtype == object:
        values = np.empty(array.size, object)
        values[:] = [_as_bytes(name, item) for item in array.flat]
        return values.reshape(array.shape)
    if array.dtype.kind == "U":
        raise UsageError(f"the input {name} mixes text and numbers: give numbers only, or text and bytes only")
    if array.dtype.name not in _DTYPES:
        raise UsageError(f"the input {name} is of type {array.dtype}, which TF Serving does not know: convert it")
    return array


def to_chunks(array: NDArray[Any]) -> Chunks:
    """Write an array from `as_array` as a TensorProto."""
    if array.dtype == object:
        return strings(list(array.flat), array.shape)
    little_endian = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    # Some types, such as bfloat16, do not support memoryview; bytes do.
    return block(_DTYPES[array.dtype.name], array.shape, little_endian.reshape(-1).view(np.uint8).data)


def to_array(tensor: TensorProto) -> NDArray[Any]:
    """Read a tensor in either form: strings become objects (bytes), bfloat16 float32 of the same value.

    Raises:
        MalformedAnswer: The values do not fill the shape, or their type has no array form.
    """
    element = ELEMENTS.get(tensor.dtype)
    if element is None:
        raise MalformedAnswer(f"the answer holds values of type {dtype_name(tensor.dtype)}, which have no array form")
    shape = shape_of(tensor)
    if element.name == "string":
        content = tensor.tensor_content
        values = split_strings(content, math.prod(shape)) if content else fill(list(tensor.string_val), tensor)
        array = np.empty(len(values), object)
        array[:] = values
        return array.reshape(shape)
    if element.name == "bfloat16":
        upper = _read(tensor, element.field, _BFLOAT16_BITS).astype("<u4")
        return (upper << 16).view(np.float32).reshape(shape)
    return _read(tensor, element.field, np.dtype(element.name).newbyteorder("<")).reshape(shape)


def _any_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """Make an array; text or bytes get type object, because numpy's string types drop trailing zero bytes."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise UsageError(
            f"the input {name} is a masked array, and a request cannot carry a mask: fill the gaps first, as with "
            "array.filled(0)"
        )
    try:
        if hasattr(value, "dtype"):
            array = np.asarray(value)
            return array.astype(object) if array.dtype.kind in "SU" else array
        first = value
        while isinstance(first, list | tuple) and first:
            first = first[0]
        if isinstance(first, str | bytes):
            return np.array(value, dtype=object)
        array = np.asarray(value)
    except ValueError as error:
        raise UsageError(f"the input {name} has rows of different lengths: make them equal") from error
    if array.dtype == np.float64:
        _check_float32(name, array)
        return array.astype(np.float32)
    if array.dtype == np.int64 and np.all(array == array.astype(np.int32)):
        return array.astype(np.int32)
    return array


def _check_float32(name: str, array: NDArray[Any]) -> None:
    """Refuse numbers that only float64 can hold: as float32 they would become infinity.

    Raises:
        UsageError: A number is finite and larger than any float32.
    """
    too_large = np.isfinite(array) & (np.abs(array) > np.finfo(np.float32).max)
    if too_large.any():
        raise UsageError(
            f"the input {name} holds {array[too_large][0]}, which float32 cannot hold: give an array of the type that "
            "the model takes, such as numpy.array(values, numpy.float64)"
        )


def _as_bytes(name: str, item: object) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        check_text(f"the input {name}", item)
        return item.encode()
    if isinstance(item, int) and not -(2**63) <= item < 2**64:
        raise UsageError(f"the input {name} holds {item}, which does not fit an integer type of 64 bits")
    raise UsageError(f"the input {name} holds a {type(item).__name__}: give numbers only, or text and bytes only")


def _read(tensor: TensorProto, field: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read the numbers of a tensor as a flat array of a little-endian type."""
    size = math.prod(shape_of(tensor))
    if tensor.tensor_content:
        if len(tensor.tensor_content) != size * dtype.itemsize:
            raise unfilled(tensor)
        return np.frombuffer(tensor.tensor_content, dtype).copy()
    values = getattr(tensor, field)
    if field == "half_val":
        array = np.array(values, np.int32).astype("<u2").view(dtype)
    elif dtype.kind in "fc":
        array = _read_packed(tensor, field, dtype)
    elif field == "int_val":
        wide = np.array(values, np.int32)
        array = wide.astype(dtype)
        if not np.array_equal(array, wide):
            raise out_of_range(tensor)
    else:
        array = np.array(values, dtype)
    return array if len(array) == size else _filled(array, size, tensor)


def _filled(array: NDArray[Any], size: int, tensor: TensorProto) -> NDArray[Any]:
    """Fill up to `size` with the last value, or with zeros, as `fill` does for a list."""
    bound_filling([tensor])
    if len(array) > size:
        raise unfilled(tensor)
    filled = np.full(size, array[-1] if len(array) else 0, array.dtype)
    filled[: len(array)] = array
    return filled


def _read_packed(tensor: TensorProto, field: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read a packed field of fixed-width numbers from the message's own bytes.

    Before protobuf 7, numpy fetches the field item by item, which takes 200 times as long. Fields are serialized in the
    order of their numbers: if this is the last one that is set, its numbers are the last bytes.
    """
    tensor.DiscardUnknownFields()
    fields = tensor.ListFields()
    values = getattr(tensor, field)
    width = 4 if field in ("float_val", "scomplex_val") else 8
    if len(values) * width % dtype.itemsize:
        raise unfilled(tensor)
    if not values or fields[-1][0].name != field:
        return np.array(values, f"<f{width}").view(dtype)
    data = tensor.SerializeToString()
    return np.frombuffer(data[len(data) - len(values) * width :], dtype).copy()
