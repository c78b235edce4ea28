"""Write Predict requests by hand, so that each byte of an image or an array is copied only once.

protobuf copies bytes into a message, and copies them again when it serializes. The format is protobuf's
(protobuf.dev/programming-guides/encoding); the field numbers are those of `wire/predict.proto` and `wire/tensor.proto`.
`benchmarks/client.py` measures the cost of a request; tests compare the bytes with protobuf's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from .tensor_pb2 import DT_STRING

# The pieces of a message's bytes, to be joined.
Chunks: TypeAlias = "list[bytes | memoryview]"

# Tags: the field's number times 8, plus 2 for values with a length and 0 for numbers.
_REQUEST_MODEL_SPEC = b"\x0a"
_REQUEST_INPUTS = b"\x12"
_REQUEST_OUTPUT_FILTER = b"\x1a"
_ENTRY_KEY = b"\x0a"
_ENTRY_VALUE = b"\x12"
_TENSOR_DTYPE = b"\x08"
_TENSOR_SHAPE = b"\x12"
_TENSOR_CONTENT = b"\x22"
_TENSOR_STRING_VAL = b"\x42"
_SHAPE_DIM = b"\x12"
_DIM_SIZE = b"\x08"


def predict_request(spec: bytes, inputs: Mapping[str, Chunks], outputs: Iterable[str] = ()) -> bytes:
    """Write a PredictRequest.

    Args:
        spec: A serialized ModelSpec.
        inputs: The tensor of each input, as `strings` or `block` writes it.
        outputs: The output filter.
    """
    chunks: Chunks = [_REQUEST_MODEL_SPEC, _prefixed(spec)]
    for name, tensor in inputs.items():
        value = _varint(sum(map(len, tensor)))
        key = _ENTRY_KEY + _prefixed(name.encode())
        entry = len(key) + len(_ENTRY_VALUE) + len(value) + sum(map(len, tensor))
        chunks += [_REQUEST_INPUTS, _varint(entry), key, _ENTRY_VALUE, value]
        chunks += tensor
    for name in outputs:
        chunks += [_REQUEST_OUTPUT_FILTER, _prefixed(name.encode())]
    return b"".join(chunks)


def strings(values: Sequence[bytes], shape: Sequence[int] | None = None) -> Chunks:
    """Write a TensorProto of strings, of shape [N] unless another shape is given."""
    chunks: Chunks = [_head(DT_STRING, (len(values),) if shape is None else shape)]
    for value in values:
        chunks += [_TENSOR_STRING_VAL + _varint(len(value)), value]
    return chunks


def block(dtype: int, shape: Sequence[int], content: memoryview) -> Chunks:
    """Write a TensorProto of numbers; `content` holds the little-endian values as bytes."""
    head = _head(dtype, shape)
    return [head + _TENSOR_CONTENT + _varint(len(content)), content] if len(content) else [head]


def _head(dtype: int, shape: Sequence[int]) -> bytes:
    # protobuf does not write a size of 0, which is the default.
    dims = (_DIM_SIZE + _varint(size) if size else b"" for size in shape)
    sizes = b"".join(_SHAPE_DIM + _prefixed(dim) for dim in dims)
    return _TENSOR_DTYPE + _varint(dtype) + _TENSOR_SHAPE + _prefixed(sizes)


def _prefixed(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Return seven bits in each byte, the lowest first; the high bit says that more follow."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
