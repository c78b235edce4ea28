"""The sources of a model, and the messages for those that cannot be used."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from hubserve_export import SourceError
from hubserve_export._sources import open_source


def archive(path: Path, names: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_a_folder_is_found_and_all_its_files_are_hashed(miniature_saved: Path) -> None:
    with open_source(str(miniature_saved)) as source:
        files = {file.path: file for file in source.files()}
    assert source.kind == "directory"
    assert set(files) >= {"saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"}
    assert all(len(file.sha256) == 64 and file.bytes > 0 for file in files.values())


@pytest.mark.parametrize("prefix", ["", "./", "some/folder/"])
def test_an_archive_is_unpacked_wherever_the_model_lies_in_it(tmp_path: Path, prefix: str) -> None:
    packed = archive(tmp_path / "m.tar.gz", {f"{prefix}saved_model.pb": b"graph", f"{prefix}variables/x": b"1"})
    with open_source(str(packed)) as source:
        assert source.kind == "archive"
        assert (source.path / "saved_model.pb").read_bytes() == b"graph"
        unpacked = source.path
    assert not unpacked.exists()


@pytest.mark.parametrize("name", ["../outside", "a/../../outside"])
def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, name: str) -> None:
    packed = archive(tmp_path / "m.tar.gz", {"saved_model.pb": b"", name: b"x"})
    with pytest.raises(SourceError, match="must keep inside its own folder"), open_source(str(packed)):
        pass


def test_an_absolute_path_in_an_archive_is_taken_as_one_inside_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    packed = archive(tmp_path / "m.tar.gz", {"saved_model.pb": b"", str(outside): b"x"})
    with open_source(str(packed)):
        assert not outside.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"plain text", "cannot be unpacked"),
        (b"\x1f\x8b\x08\0", "cannot be unpacked"),
        (None, "exactly one SavedModel"),
    ],
)
def test_a_broken_archive_says_what_to_do(tmp_path: Path, content: bytes | None, says: str) -> None:
    packed = tmp_path / "m.tar.gz"
    if content is None:
        archive(packed, {"readme": b""})
    else:
        packed.write_bytes(content)
    with pytest.raises(SourceError, match=says), open_source(str(packed)):
        pass


def test_an_archive_cut_short_is_refused(tmp_path: Path, miniature_saved: Path) -> None:
    packed = tmp_path / "m.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(miniature_saved, ".")
    packed.write_bytes(packed.read_bytes()[:-5000])
    with pytest.raises(SourceError, match="download or pack it again"), open_source(str(packed)):
        pass


def test_a_base_folder_given_for_a_savedmodel_is_recognized(miniature_dir: Path) -> None:
    with pytest.raises(SourceError, match=r"did you mean .*/miniature/1"), open_source(str(miniature_dir)):
        pass


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("nowhere", "nowhere does not exist; give a hub URL"),
        ("/nowhere/at/all/4", "does not exist"),
    ],
)
def test_a_name_that_is_nothing_says_what_it_may_be(model: str, says: str) -> None:
    with pytest.raises(SourceError, match=says), open_source(model):
        pass


def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x")
    with (
        pytest.raises(SourceError, match=r"but not a \.tar\.gz, \.keras or \.h5"),
        open_source(str(tmp_path / "model.onnx")),
    ):
        pass


def test_without_a_temporary_folder_an_archive_says_so(tmp_path: Path) -> None:
    packed = archive(tmp_path / "m.tar.gz", {"saved_model.pb": b""})
    program = (
        "import tempfile; tempfile.tempdir = '/dev/null/nowhere'\n"
        "from hubserve_export.command import export\n"
        f"export([{str(packed)!r}, '--output', {str(tmp_path / 'm')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "there is no temporary folder to write to (Not a directory); set TMPDIR to one" in done.stderr
