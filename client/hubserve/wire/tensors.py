"""Tensors on the wire, without numpy: what requests for images and their small answers need."""

import math
import struct
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .._errors import MalformedAnswer
from . import tensor_pb2
from .tensor_pb2 import DataType, TensorProto

# The limit of numpy 1. Tensors of TF Serving's models have five or six dimensions.
_MOST_DIMENSIONS = 32
# The bytes of the widest type, and the limit for the bytes of an array.
_WIDEST = 16
_END = 2**63
# The most values that are filled in, in one answer.
_MOST_FILLED = 2**20
# A varint has at most ten bytes.
_VARINT_BITS = 63


@dataclass(frozen=True, slots=True)
class Element:
    """`Element("float32", "float_val", "f")`: numpy's name of a type, its TensorProto field, its `struct` letter."""

    name: str
    field: str
    letter: str = ""

    @property
    def parts(self) -> int:
        """The number of items of the field in one value."""
        return 2 if self.name.startswith("complex") else 1

    @property
    def zero(self) -> Any:
        """The value of elements that are not given."""
        return b"" if self.name == "string" else 0.0 if self.letter in ("e", "f", "d") else 0


ELEMENTS: dict[int, Element] = {
    tensor_pb2.DT_FLOAT: Element("float32", "float_val", "f"),
    tensor_pb2.DT_DOUBLE: Element("float64", "double_val", "d"),
    tensor_pb2.DT_HALF: Element("float16", "half_val", "e"),
    tensor_pb2.DT_BFLOAT16: Element("bfloat16", "half_val"),
    tensor_pb2.DT_INT8: Element("int8", "int_val", "b"),
    tensor_pb2.DT_INT16: Element("int16", "int_val", "h"),
    tensor_pb2.DT_INT32: Element("int32", "int_val", "i"),
    tensor_pb2.DT_INT64: Element("int64", "int64_val", "q"),
    tensor_pb2.DT_UINT8: Element("uint8", "int_val", "B"),
    tensor_pb2.DT_UINT16: Element("uint16", "int_val", "H"),
    tensor_pb2.DT_UINT32: Element("uint32", "uint32_val", "I"),
    tensor_pb2.DT_UINT64: Element("uint64", "uint64_val", "Q"),
    tensor_pb2.DT_BOOL: Element("bool", "bool_val", "?"),
    tensor_pb2.DT_COMPLEX64: Element("complex64", "scomplex_val"),
    tensor_pb2.DT_COMPLEX128: Element("complex128", "dcomplex_val"),
    tensor_pb2.DT_STRING: Element("string", "string_val"),
}


def dtype_name(dtype: int) -> str:
    """Return numpy's name of a wire type (`float32`), or TensorFlow's if numpy has none (`string`)."""
    if dtype in ELEMENTS:
        return ELEMENTS[dtype].name
    return DataType.Name(dtype) if dtype in DataType.values() else f"DataType {dtype}"


def shape_of(tensor: TensorProto) -> tuple[int, ...]:
    """Read the shape of a tensor that has values.

    Raises:
        MalformedAnswer: A size is unknown or negative, or an array cannot have these sizes.
    """
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    # An empty array, too, has strides from all its other sizes.
    largest = math.prod(size for size in shape if size) * _WIDEST
    if (
        tensor.tensor_shape.unknown_rank
        or len(shape) > _MOST_DIMENSIONS
        or min(shape, default=0) < 0
        or largest >= _END
    ):
        words = "unknown" if tensor.tensor_shape.unknown_rank else textwrap.shorten(str(list(shape)), 100)
        raise MalformedAnswer(
            f"the answer holds a tensor of shape {words}, which an array cannot have: look at its server"
        )
    return shape


def bound_filling(tensors: Iterable[TensorProto]) -> None:
    """Refuse tensors that claim many more values than they hold, before they are filled up.

    A TensorProto with fewer values than its shape means that the last value repeats, so that a few bytes can claim any
    number of values. TF Serving sends every value.

    Args:
        tensors: All tensors of one answer; they share one bound.

    Raises:
        MalformedAnswer: More than 1,048,576 values in all would be filled in, or an array cannot have such a shape.
    """
    missing = 0
    for tensor in tensors:
        size, element = math.prod(shape_of(tensor)), ELEMENTS.get(tensor.dtype)
        if element is not None and not tensor.tensor_content:
            missing += max(size - len(getattr(tensor, element.field)) // element.parts, 0)
        if missing > _MOST_FILLED:
            raise MalformedAnswer(
                f"the answer claims a tensor of shape {list(shape_of(tensor))} and does not hold its values: at most "
                f"{_MOST_FILLED:,} values of an answer are filled in"
            )


def read_values(tensor: TensorProto) -> list[Any]:
    """Read real numbers or strings (bytes) as one flat list, row by row, from either form.

    Raises:
        MalformedAnswer: The values do not fill the shape, have another type, or are outside the range of their type.
    """
    element = ELEMENTS.get(tensor.dtype)
    if element is None or not (element.letter or element.name == "string"):
        raise MalformedAnswer(
            f"the answer holds values of type {dtype_name(tensor.dtype)} where numbers or strings belong"
        )
    size = math.prod(shape_of(tensor))
    if tensor.tensor_content:
        if element.name == "string":
            return split_strings(tensor.tensor_content, size)
        try:
            return list(struct.unpack(f"<{size}{element.letter}", tensor.tensor_content))
        except struct.error as error:
            raise unfilled(tensor) from error
    values: list[Any] = getattr(tensor, element.field)[:]
    if element.name == "float16":
        # The field is int32, of which the low 16 bits count.
        bits = [value & 0xFFFF for value in values]
        values = list(struct.unpack(f"<{len(bits)}e", struct.pack(f"<{len(bits)}H", *bits)))
    elif element.field == "int_val":
        # The field is int32 for all small types.
        try:
            struct.pack(f"<{len(values)}{element.letter}", *values)
        except struct.error as error:
            raise out_of_range(tensor) from error
    return fill(values, tensor)


def fill(values: list[Any], tensor: TensorProto) -> list[Any]:
    """Fill the tensor's shape with its last value, or with zeros: the meaning of a TensorProto with fewer values.

    Raises:
        MalformedAnswer: There are more values than the shape has room for, or far fewer.
    """
    bound_filling([tensor])
    missing = math.prod(shape_of(tensor)) - len(values)
    if missing < 0:
        raise unfilled(tensor)
    return values + (values[-1:] or [ELEMENTS[tensor.dtype].zero]) * missing if missing else values


def split_strings(content: bytes, size: int) -> list[bytes]:
    """Split a string tensor's `tensor_content`: the lengths of all strings as varints, then all strings."""
    lengths, place = [], 0
    try:
        for _ in range(size):
            length, shift = 0, 0
            while content[place] & 0x80 and shift < _VARINT_BITS:
                length |= (content[place] & 0x7F) << shift
                place, shift = place + 1, shift + 7
            lengths.append(length | content[place] << shift)
            place += 1
    except IndexError as error:
        raise MalformedAnswer(f"the answer holds fewer than the {size} strings its shape says") from error
    if place + sum(lengths) != len(content):
        raise MalformedAnswer(f"the answer's {size} strings do not have the lengths it says")
    values = []
    for length in lengths:
        values.append(content[place : place + length])
        place += length
    return values


def unfilled(tensor: TensorProto) -> MalformedAnswer:
    """Return the error for a tensor whose number of values does not fit its shape."""
    return MalformedAnswer(
        f"the answer's {dtype_name(tensor.dtype)} values do not fill their shape {list(shape_of(tensor))}"
    )


def out_of_range(tensor: TensorProto) -> MalformedAnswer:
    """Return the error for a tensor with a number outside the range of its type."""
    return MalformedAnswer(f"the answer holds numbers that {dtype_name(tensor.dtype)} cannot hold: look at its server")
