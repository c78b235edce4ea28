import shutil

import pytest

from hubserve_serve import ModelDirectoryError
from hubserve_serve._store import Store, name_of
from serve.toys import model_dir


def versions(directories):
    return [directory.version for directory in directories]


def test_the_highest_version_is_followed_as_versions_come_and_go(toy, tmp_path):
    base = model_dir(toy, tmp_path / "toy", 2, 10)
    store = Store(base)
    assert versions(store.find()) == versions(store.look()) == [10]
    (base / "11").mkdir()
    (base / ".tmp-12").mkdir()
    (base / "13").touch()
    assert versions(store.look()) == [11]
    shutil.rmtree(base / "11")
    shutil.rmtree(base / "10")
    assert versions(store.look()) == [2]


def test_only_the_versions_wanted_are_followed(toy, tmp_path):
    base = model_dir(toy, tmp_path / "toy", 1, 2, 3)
    store = Store(base, [3, 1])
    assert versions(store.find()) == versions(store.look()) == [1, 3]
    shutil.rmtree(base / "3")
    assert versions(store.look()) == [1]
    with pytest.raises(ModelDirectoryError, match=r"does not have version 3: choose one of 1, 2"):
        store.find()


def test_with_labels_no_higher_version_takes_the_place_of_the_one_that_they_name(toy, tmp_path):
    base = model_dir(toy, tmp_path / "toy", 3)
    store = Store(base, labels={"stable": 3})
    assert versions(store.find()) == [3]
    (base / "4").mkdir()
    assert versions(store.look()) == [3]
    with pytest.raises(ModelDirectoryError, match=r"label canary names version 4, which is not served: .* \(3\)"):
        Store(base, [3], {"canary": 4}).find()


def test_an_empty_folder_has_no_versions_and_a_missing_one_says_nothing(tmp_path):
    store = Store(tmp_path / "toy")
    assert store.look() is None
    (tmp_path / "toy").mkdir()
    assert store.look() == []


def test_a_version_with_leading_zeros_is_found_under_its_number(toy, tmp_path):
    base = model_dir(toy, tmp_path / "toy", 7)
    (base / "7").rename(base / "0007")
    (found,) = Store(base).find()
    assert (found.version, found.path) == (7, base / "0007")


def test_a_model_has_the_name_that_its_folder_is_given_by(tmp_path, monkeypatch):
    (tmp_path / "releases" / "2026-11").mkdir(parents=True)
    (tmp_path / "pnasnet").symlink_to(tmp_path / "releases" / "2026-11")
    assert name_of(tmp_path / "pnasnet") == "pnasnet"
    monkeypatch.chdir(tmp_path / "releases")
    assert name_of(".") == "releases"
    assert name_of("2026-11/") == name_of("./2026-11/../2026-11") == "2026-11"
