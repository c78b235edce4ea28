"""Read tensors from a torch checkpoint of the legacy format, without torch and without running code in it.

A pickle can call any function. This reader allows three names and nothing else, so that it can read checkpoints that
are not trusted.

The format, as torch wrote it before 1.6, is five pickles (a magic number, the protocol, facts about the writing
machine, the state dict, the keys of its storages), then for every key, in that order, a little-endian int64 with the
number of elements, and the elements. In the state dict a tensor is a call of `_rebuild_tensor_v2(storage, offset, size,
stride, ...)`, and its storage a persistent id ("storage", type, key, device, number of elements, view).
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "<u1",
}


class UnreadableCheckpointError(ValueError):
    """The file is not a legacy torch checkpoint, or uses a name that is not allowed."""


@dataclass(frozen=True)
class _StorageType:
    dtype: str


@dataclass(frozen=True)
class _Tensor:
    """A tensor whose elements come later in the file."""

    key: str
    dtype: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def _tensor(storage: tuple[str, str], offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> _Tensor:
    """Replace torch's `_rebuild_tensor_v2`."""
    key, dtype = storage
    return _Tensor(key, dtype, offset, tuple(size), tuple(stride))


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _DTYPES:
            return _StorageType(_DTYPES[name])
        raise UnreadableCheckpointError(
            f"the checkpoint uses {module}.{name}, which is not allowed in a file of weights"
        )

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        match pid:
            case ("storage", _StorageType(dtype), str(key), *_):
                return key, dtype
        raise UnreadableCheckpointError(f"the checkpoint refers to {pid!r}, which is not a storage")


def read_tensors(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Read a state dict.

    Args:
        path: A file that `torch.save` wrote before torch 1.6 (or later with `_use_new_zipfile_serialization=False`).

    Returns:
        The arrays by name, with the shapes and dtypes that were saved.

    Raises:
        UnreadableCheckpointError: The file is something else.
    """
    with path.open("rb") as file:
        try:
            magic, _, _, state, keys = (_RestrictedUnpickler(file, encoding="utf-8").load() for _ in range(5))
            if magic != _MAGIC:
                raise UnreadableCheckpointError(f"{path} is not a torch checkpoint of the legacy format")
            tensors = {name: tensor for name, tensor in state.items() if isinstance(tensor, _Tensor)}
            storages = _read_storages(file, keys, {tensor.key: tensor.dtype for tensor in tensors.values()})
        except (pickle.UnpicklingError, EOFError, ValueError, AttributeError, TypeError, KeyError) as error:
            raise UnreadableCheckpointError(
                f"{path} is not a torch checkpoint of the legacy format: {error}"
            ) from error
    return {name: _view(storages[tensor.key], tensor) for name, tensor in tensors.items()}


def _read_storages(file: BinaryIO, keys: list[str], dtypes: dict[str, str]) -> dict[str, np.ndarray[Any, Any]]:
    storages = {}
    for key in keys:
        dtype = np.dtype(dtypes[key])
        (count,) = np.frombuffer(file.read(8), "<i8")
        storages[key] = np.frombuffer(file.read(int(count) * dtype.itemsize), dtype, count)
    return storages


def _view(storage: np.ndarray[Any, Any], tensor: _Tensor) -> np.ndarray[Any, Any]:
    # A stride that reaches outside the storage would read other memory.
    last = tensor.offset + sum((length - 1) * step for length, step in zip(tensor.size, tensor.stride, strict=True))
    if min((tensor.offset, *tensor.stride)) < 0 or last >= max(storage.size, 1):
        raise UnreadableCheckpointError("a tensor reaches outside its storage")
    strides = [step * storage.itemsize for step in tensor.stride]
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.size, strides).copy()
