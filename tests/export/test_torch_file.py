"""A torch checkpoint is read without torch, and without running its code."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from hubserve_export import _torch_file
from hubserve_export._efficientnet import weights_path


class _Call:
    """Pickles as a call."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def checkpoint(path: Path, state: object) -> Path:
    pickles = [0x1950A86A20F9469CFC6C, 1001, {}, state, []]
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in pickles))
    return path


def test_every_tensor_of_a_real_checkpoint_is_read() -> None:
    tensors = _torch_file.read_tensors(weights_path())
    assert len(tensors) == 296
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_fc.weight"].dtype == np.float32
    assert sum(array.size for array in tensors.values()) == pytest.approx(4.69e6, rel=1e-3)
    assert all(np.isfinite(array).all() for array in tensors.values())


def test_a_checkpoint_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "was-run"
    hostile = checkpoint(tmp_path / "hostile.pth", {"weight": _Call(os.mkdir, str(trace))})
    with pytest.raises(_torch_file.UnreadableCheckpointError, match=r"uses posix\.mkdir"):
        _torch_file.read_tensors(hostile)
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip file", pickle.dumps(1) * 5])
def test_a_file_that_is_not_a_checkpoint_is_an_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.pth"
    file.write_bytes(content)
    with pytest.raises(_torch_file.UnreadableCheckpointError, match="not a torch checkpoint"):
        _torch_file.read_tensors(file)


def test_a_checkpoint_cut_short_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "short.pth"
    file.write_bytes(weights_path().read_bytes()[:-1000])
    with pytest.raises(_torch_file.UnreadableCheckpointError):
        _torch_file.read_tensors(file)
