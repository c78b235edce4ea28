"""What a person names on the command line becomes images, found lazily and in one order everywhere."""

import io
import itertools
import os
import tracemalloc
from pathlib import Path

import pytest

from hubserve import ImageError
from hubserve._command import sources


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.PNG", "notes.txt", "2024/d.webp", "2024/c.jpeg", "2023/e.gif", "2023/f.bmp"):
        file = tmp_path / "album" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "album"


def names(album: Path, *found: sources.Image) -> list[str]:
    return [str(Path(sources.name_of(image)).relative_to(album)) for image in found]


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
        ("nowhere.jpg", "nowhere.jpg is not there; name files, folders, globs, tar archives, URLs, or -"),
        ("*.tif", "nothing matches"),
        ("empty", "empty holds no images"),
    ],
)
def test_what_names_no_image_is_wrong_usage_before_anything_starts(album: Path, name: str, says: str) -> None:
    (album / "empty").mkdir()
    with pytest.raises(sources.NoImagesError, match=says):
        sources.find([str(album / "b.jpg"), str(album / name)])


@pytest.mark.parametrize(("null", "end"), [(False, b"\n"), (True, b"\0")])
def test_paths_on_standard_input_are_bytes_between_ends(
    monkeypatch: pytest.MonkeyPatch, null: bool, end: bytes
) -> None:
    given = [b"a b.jpg", "ä.jpg".encode(), b"latin1-\xe4.jpg", b"x" * 70_000]
    given += [b"line\nfeed.jpg"] if null else []
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(end.join([*given[:1], b"", *given[1:]]))))
    assert [os.fsencode(sources.name_of(image)) for image in sources.find(["-"], null=null)] == given


def test_links_to_files_are_followed_and_links_to_folders_are_not(album: Path) -> None:
    (album / "2023" / "circle").symlink_to(album)
    (album / "2023" / "link.jpg").symlink_to(album / "b.jpg")
    assert names(album, *sources.find([f"{album}/2023"])) == ["2023/e.gif", "2023/f.bmp", "2023/link.jpg"]


def test_a_folder_that_cannot_be_read_is_among_the_results(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("2023"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    *_, broken, third, fourth = sources.find([str(album)])
    assert names(album, broken, third, fourth) == ["2023", "2024/c.jpeg", "2024/d.webp"]
    assert isinstance(broken, sources.Unread)
    with pytest.raises(ImageError, match=r"the folder cannot be read \(Permission denied\)"):
        broken.read(1)


def test_images_of_folders_are_counted_and_others_are_not(album: Path) -> None:
    everything = [str(album), str(album / "notes.txt"), f"{album}/*.jpg"]
    assert sources.total(everything, lambda name: True) == 8
    assert sources.total(everything, lambda name: name.endswith("jpg")) == 2
    assert sources.total([str(album), "-"], lambda name: True) is None
    assert sources.total(["memory://bucket"], lambda name: True) is None


def test_a_million_names_are_given_as_they_are_found(tmp_path: Path) -> None:
    """Memory holds the names of one folder, not of all."""
    for folder in range(40):
        (tmp_path / f"{folder:02}").mkdir()
        for number in range(50):
            (tmp_path / f"{folder:02}" / f"{'long' * 20}{number:04}.jpg").touch()

    def most(count: int) -> int:
        tracemalloc.start()
        try:
            for _ in itertools.islice(sources.find([str(tmp_path)]), count):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most(10)
    assert most(2000) < most(100) + 50_000
