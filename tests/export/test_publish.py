"""A version appears whole or not at all, and never in place of another."""

from pathlib import Path

import pytest

from hubserve_export import OutputError, _publish
from hubserve_model.versions import versions


class Interruption(Exception):  # noqa: N818
    pass


def publish(base: Path, version: int) -> None:
    with _publish.staging(base, version) as folder:
        (folder / "saved_model.pb").write_bytes(b"graph")


def interrupted(base: Path, version: int) -> None:
    with _publish.staging(base, version) as folder:
        (folder / "saved_model.pb").write_bytes(b"half")
        raise Interruption


def test_a_version_appears_with_all_its_files(tmp_path: Path) -> None:
    publish(tmp_path / "models" / "m", 1)
    assert (tmp_path / "models" / "m" / "1" / "saved_model.pb").read_bytes() == b"graph"
    assert [child.name for child in (tmp_path / "models" / "m").iterdir()] == ["1"]


def test_while_it_is_written_a_server_sees_no_version(tmp_path: Path) -> None:
    with _publish.staging(tmp_path, 1) as folder:
        assert folder.parent == tmp_path
        assert folder.name.startswith(".tmp-")
        assert versions(tmp_path) == []
    assert versions(tmp_path) == [1]


def test_a_failure_leaves_the_base_folder_as_it_was(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with pytest.raises(Interruption):
        interrupted(tmp_path, 2)
    assert [child.name for child in tmp_path.iterdir()] == ["1"]


def test_a_failure_removes_the_folders_that_it_had_made(tmp_path: Path) -> None:
    with pytest.raises(Interruption):
        interrupted(tmp_path / "models" / "m", 1)
    assert list(tmp_path.iterdir()) == []


def test_the_next_version_follows_the_newest(tmp_path: Path) -> None:
    assert _publish.choose_version(tmp_path / "new", None) == 1
    for name in ("1", "9", "10", ".tmp-1", "notes", "0x20"):
        (tmp_path / name).mkdir()
    assert _publish.choose_version(tmp_path, None) == 11


def test_no_version_is_larger_than_those_of_tensorflow_serving(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="more than TensorFlow Serving's largest version"):
        _publish.choose_version(tmp_path, 2**63)
    (tmp_path / str(2**63 - 1)).mkdir()
    with pytest.raises(OutputError, match="give a smaller `version`"):
        _publish.choose_version(tmp_path, None)
    assert _publish.choose_version(tmp_path, 2**63 - 2) == 2**63 - 2


def test_a_version_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    publish(tmp_path, 3)
    with pytest.raises(OutputError, match="3 exists already, and versions are never overwritten"):
        _publish.choose_version(tmp_path, 3)
    with pytest.raises(OutputError, match="another export has taken that version"):
        publish(tmp_path, 3)
    assert [child.name for child in tmp_path.iterdir()] == ["3"]


def test_a_file_in_place_of_the_base_folder_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "models"
    file.write_text("")
    with pytest.raises(OutputError, match="is a file"):
        _publish.choose_version(file, None)
    with pytest.raises(OutputError, match="cannot be written"):
        publish(file / "m", 1)
