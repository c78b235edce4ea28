"""The arguments of the command line become images, which are found lazily and in the same order everywhere."""

import io
import itertools
import os
import tracemalloc
from pathlib import Path

import pytest

from hubserve import ImageError
from hubserve_cli.bulk import sources
from support.photographs import encoded, image


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


def test_a_files_content_tells_an_image_where_its_name_does_not(tmp_path: Path) -> None:
    jpeg, tiff = encoded(image().resize((40, 30)), "JPEG"), encoded(image().resize((40, 30)), "TIFF")
    for name in ("a.jfif", "a.JPE", "a.mpo", "a.DIB", "a.HEIC", "a.tif", "a.avif", "without-suffix", "a.bak"):
        (tmp_path / name).write_bytes(jpeg)
    for name, data in {"scan.tiff": tiff, "b.pdf": b"%PDF-1.7", "c.pdf": b"%PDF-1.7", "odd.xyz": b"\1\2\xff"}.items():
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")

    def found(choice: sources.Choice) -> set[str]:
        return {Path(sources.name_of(image)).name for image in sources.find([str(tmp_path)], choice=choice)}

    choice = sources.Choice()
    assert found(choice) == {
        *("a.jfif", "a.JPE", "a.mpo", "a.DIB", "a.HEIC", "a.tif", "a.avif", "without-suffix", "a.bak"),
    }
    assert str(choice.left_out) == "2 PDF, 1 .xyz, 1 TIFF, 1 broken link, 1 link, pipe or device"
    assert list(choice.left_out.lines()) == [
        f"6 files left out: {choice.left_out} (--convert classifies TIFF; --all sends every file)"
    ]
    converting = sources.Choice(convert=True)
    assert found(converting) - found(sources.Choice()) == {"scan.tiff"}
    assert converting.left_out.total == 5
    everything = sources.Choice(everything=True)
    assert len(found(everything)) == 15
    assert list(everything.left_out.lines()) == []


def test_what_is_left_out_is_counted_by_one_of_the_shards(album: Path) -> None:
    halves = [sources.Choice(counted=lambda name, odd=odd: ("notes" in name) == odd) for odd in (False, True)]
    for half in halves:
        list(sources.find([str(album)], choice=half))
    assert [half.left_out.total for half in halves] == [0, 1]


def test_a_folder_with_nothing_but_other_files_says_which(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(sources.NoImagesError, match=r"holds no images: 1 file left out: 1 HEIC \(--convert classifies"):
        sources.find([str(tmp_path)])


def test_many_kinds_are_reported_in_a_line() -> None:
    choice = sources.Choice()
    for number in range(3000):
        choice.by_head(f"a.{number}", b"\1\xff")
    assert str(choice.left_out).startswith("2,000 other, 1 .0, ")
    assert str(choice.left_out).endswith(", 993 of other kinds")
    assert choice.left_out.total == 3000


def test_a_file_is_taken_whatever_its_name(album: Path) -> None:
    assert names(album, *sources.find([str(album / "notes.txt"), str(album / "b.jpg")])) == ["notes.txt", "b.jpg"]


def test_a_glob_stands_for_the_files_that_match(album: Path) -> None:
    assert sorted(names(album, *sources.find([f"{album}/**/*.j*"]))) == ["2024/c.jpeg", "b.jpg"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere.jpg", "nowhere.jpg does not exist; name files, folders, globs, tar archives, URLs, or -"),
        ("*.tif", "nothing matches"),
        ("empty", "empty holds no images: it is empty"),
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
    given = [b"a b.jpg", "ä.jpg".encode(), b"latin1-\xe4.jpg"]
    given += [b"%05d" % number * 800 for number in range(20)]
    given += [b"line\nfeed.jpg"] if null else []
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(end.join([*given[:1], b"", *given[1:]]))))
    assert [os.fsencode(sources.name_of(image)) for image in sources.find(["-"], null=null)] == given


def test_text_that_is_not_a_path_is_named_by_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"A" * 5_000_000 + b"\n")))
    (image,) = sources.find(["-"])
    assert sources.name_of(image) == "A" * 60 + "... (5,000,000 characters)"
    with pytest.raises(ImageError, match="this is base64 text, not a path"):
        image.read(1)
    with pytest.raises(sources.NoImagesError, match=r"^A{60}\.\.\. \(100,000 characters\) does not exist"):
        sources.find(["A" * 100_000])


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
