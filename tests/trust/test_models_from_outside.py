"""Archives, pickles and Keras files that would run code or write files elsewhere are refused, without an effect.

tests/export has paths that lead outside (test_sources.py) and Keras layers that carry code (test_keras.py).
"""

import io
import json
import os
import pickle
import pickletools
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from hubserve_export import SourceError, _torch_file
from hubserve_export._sources import open_source


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def archive(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info in (member("saved_model.pb"), *members):
            tar.addfile(info, io.BytesIO(b""))
    return path


@pytest.mark.parametrize(
    "members",
    [
        [member("link", tarfile.SYMTYPE, "/etc")],
        [member("link", tarfile.SYMTYPE, "../../elsewhere")],
        [member("link", tarfile.LNKTYPE, "../../elsewhere")],
        [member("variables", tarfile.SYMTYPE, ".."), member("variables/../../written")],
        [member("pipe", tarfile.FIFOTYPE)],
        [member("disk", tarfile.BLKTYPE)],
        [member("terminal", tarfile.CHRTYPE)],
    ],
    ids=lambda members: f"{members[0].name} {members[0].type.decode()} {members[0].linkname}",
)
def test_an_archive_with_links_that_lead_outside_or_with_devices_is_refused(
    tmp_path: Path, members: list[tarfile.TarInfo]
) -> None:
    packed = archive(tmp_path / "model.tar.gz", *members)
    with pytest.raises(SourceError, match=r"must keep inside its own folder"), open_source(str(packed)):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["model.tar.gz"]


def test_what_an_archive_brings_cannot_be_run_as_another_user(tmp_path: Path) -> None:
    packed = archive(tmp_path / "model.tar.gz", member("tool", mode=0o6777))
    with open_source(str(packed)) as source:
        assert (source.path / "tool").stat().st_mode & 0o6022 == 0


class _Reduces:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, exec, print, getattr, pickle.loads, shutil.rmtree])
def test_a_pickle_that_calls_anything_is_refused_before_it_is_called(
    tmp_path: Path, function: Callable[..., object], capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "weights.pth"
    argument = f"__import__('os').mkdir({str(tmp_path / 'ran')!r}) or print('ran')"
    parts = [0x1950A86A20F9469CFC6C, 1001, {}, {"weight": _Reduces(function, argument)}, []]
    file.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts))
    with pytest.raises(_torch_file.UnreadableCheckpointError, match="which is not allowed in a file of weights"):
        _torch_file.read_tensors(file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights.pth"]
    assert "ran" not in capfd.readouterr().out


def test_a_pickle_that_builds_upon_an_allowed_name_gets_no_further(tmp_path: Path) -> None:
    """STACK_GLOBAL of `collections.OrderedDict.fromkeys`: an allowed module, a name with a dot in it."""
    code = pickletools.optimize(pickle.dumps({}, 4)).replace(b"}.", b"")
    attack = code + b"\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93."
    file = tmp_path / "weights.pth"
    file.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + attack)
    with pytest.raises(_torch_file.UnreadableCheckpointError, match=r"OrderedDict\.fromkeys"):
        _torch_file.read_tensors(file)


def test_a_keras_file_that_names_a_function_of_another_module_is_refused(tmp_path: Path) -> None:
    inputs = keras.Input((4, 4, 3))
    keras.Model(inputs, keras.layers.Activation("relu")(inputs)).save(tmp_path / "plain.keras")
    with zipfile.ZipFile(tmp_path / "plain.keras") as plain:
        files = {name: plain.read(name) for name in plain.namelist()}
    config = json.loads(files["config.json"])
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "Activation":
            layer.update(module="os", class_name="system", config={"command": f"mkdir {tmp_path / 'ran'}"})
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as hostile:
        for name, data in files.items():
            hostile.writestr(name, data)
    with pytest.raises(SourceError, match="cannot be loaded"), open_source(str(tmp_path / "model.keras")):
        pass
    assert not (tmp_path / "ran").exists()
