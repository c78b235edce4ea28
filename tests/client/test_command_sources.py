"""What a person names on the command line becomes images, found lazily and in one order everywhere."""

from pathlib import Path

import pytest

from hubserve._command import sources


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.PNG", "notes.txt", "2024/d.webp", "2024/c.jpeg", "2023/e.gif", "2023/f.bmp"):
        file = tmp_path / "album" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "album"


def names(album: Path, *found: str) -> list[str]:
    return [str(Path(path).relative_to(album)) for path in found]


def test_a_folder_stands_for_all_images_below_it_in_order(album: Path) -> None:
    found = names(album, *sources.find([str(album)]))
    assert found == ["a.PNG", "b.jpg", "2023/e.gif", "2023/f.bmp", "2024/c.jpeg", "2024/d.webp"]


def test_a_file_is_taken_whatever_its_name(album: Path) -> None:
    assert names(album, *sources.find([str(album / "notes.txt"), str(album / "b.jpg")])) == ["notes.txt", "b.jpg"]


def test_a_glob_stands_for_the_files_that_match(album: Path) -> None:
    assert sorted(names(album, *sources.find([f"{album}/**/*.j*"]))) == ["2024/c.jpeg", "b.jpg"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere.jpg", "nowhere.jpg is not there; name files, folders, globs, or -"),
        ("*.tif", "nothing matches"),
        ("empty", "empty holds no images"),
    ],
)
def test_what_names_no_image_is_wrong_usage_before_anything_starts(album: Path, name: str, says: str) -> None:
    (album / "empty").mkdir()
    with pytest.raises(sources.NoImagesError, match=says):
        sources.find([str(album / "b.jpg"), str(album / name)])
