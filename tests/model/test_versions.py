"""Folders of a base folder that are versions."""

from pathlib import Path

import pytest

from hubserve_model import InspectError
from hubserve_model.versions import version_folder, version_folders, versions


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name in ("2", "10", "007", ".tmp-1", "1a", "-3", "٣", "1 ", str(2**63)):
        (tmp_path / name).mkdir()
    (tmp_path / "11").write_text("a file")
    return tmp_path


def test_versions_are_folders_whose_whole_name_is_a_decimal_integer(base: Path) -> None:
    assert versions(base) == [2, 7, 10]
    assert version_folders(base)[7] == base / "007"


def test_the_newest_version_is_the_default(base: Path) -> None:
    assert version_folder(base) == base / "10"
    assert version_folder(base, 7) == base / "007"


def test_a_version_that_is_not_there_is_named_with_those_that_are(base: Path) -> None:
    with pytest.raises(InspectError, match="does not have version 3; it has 2, 7, 10"):
        version_folder(base, 3)


def test_a_folder_that_is_not_there_has_no_versions(tmp_path: Path) -> None:
    assert versions(tmp_path / "nowhere") == []
    with pytest.raises(OSError, match="nowhere"):
        version_folders(tmp_path / "nowhere")
    with pytest.raises(InspectError, match="nowhere is not a folder"):
        version_folder(tmp_path / "nowhere")
