"""Tar archives: members are classified while they are read, none does harm, and none is left out without a record."""

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from client.bulk import classify, documents
from hubserve import ImageError
from hubserve.testing import FakeServer
from hubserve_cli.bulk import sources


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.size, header.type, header.linkname = len(data), kind, link
    return header, data


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", errors="surrogateescape") as archive:
        for header, data in members:
            archive.addfile(header, io.BytesIO(data))
    return file.getvalue()


def read(path: Path) -> list[tuple[str, bytes | str]]:
    """Each image's name without the archive's folder, and its bytes or its error."""
    found: list[tuple[str, bytes | str]] = []
    for image in sources.find([str(path)]):
        assert isinstance(image, sources.Unread)
        name = image.name.removeprefix(f"{path.parent}/")
        try:
            found.append((name, image.read(100)))
        except ImageError as error:
            found.append((name, str(error)))
    return found


PETS = [
    member("pets/", kind=tarfile.DIRTYPE),
    member("pets/cat.jpg", b"cat"),
    member("a.txt", b"x"),
    member("dog.PNG", b"dog"),
]


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("tar", bytes),
        ("tar.gz", gzip.compress),
        ("tgz", lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:])),
        ("tar.bz2", bz2.compress),
        ("tar.xz", lzma.compress),
    ],
)
def test_images_in_an_archive_are_found_whatever_packs_it(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"album.{suffix}"
    path.write_bytes(compress(packed(*PETS)))
    assert read(path) == [(f"album.{suffix}/pets/cat.jpg", b"cat"), (f"album.{suffix}/dog.PNG", b"dog")]
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_a_glob_finds_what_is_in_archives(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        (tmp_path / name).write_bytes(packed(*PETS))
    assert len(list(sources.find([f"{tmp_path}/*.tar"]))) == 4


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_an_archive_cut_short_anywhere_says_so_and_never_gives_half_an_image(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    whole = compress(packed(*(member(f"{number}.jpg", bytes([number]) * 600) for number in range(3))))
    path = tmp_path / "cut.tar"
    # Nothing but the zeros after the end mark may be missed.
    end = len(whole) if compress is not bytes else 3 * (512 + 1024) + 512
    for length in range(1, end, max(end // 60, 1)):
        path.write_bytes(whole[:length])
        try:
            found = read(path)
        except sources.NoImagesError as error:
            assert "cannot be read as a tar archive" in error.message  # noqa: PT017
            continue
        good = [what for _, what in found if isinstance(what, bytes)]
        assert good == [bytes([number]) * 100 for number in range(len(good))] or len(found[-2][1]) == 100
        assert found[-1][0] == "cut.tar"
        assert "those after them are missing" in str(found[-1][1])


def test_an_archive_broken_in_the_middle_does_not_end_in_silence(tmp_path: Path) -> None:
    data = bytearray(packed(*(member(f"{number}.jpg", b"image") for number in range(3))))
    data[1024 + 20] ^= 0xFF
    (tmp_path / "bad.tar").write_bytes(data)
    good, broken = read(tmp_path / "bad.tar")
    assert good == ("bad.tar/0.jpg", b"image")
    assert broken == (
        "bad.tar",
        "the archive is cut short or broken after 1 images: those after them are missing",
    )


def test_hostile_members_stay_names_and_bytes(tmp_path: Path) -> None:
    passwd = tmp_path / "passwd.jpg"
    passwd.write_bytes(b"secret")
    archive = tmp_path / "hostile.tar"
    archive.write_bytes(
        packed(
            member("../../escape.jpg", b"up"),
            member("/etc/absolute.jpg", b"root"),
            member("link.jpg", kind=tarfile.SYMTYPE, link=str(passwd)),
            member("hard.jpg", kind=tarfile.LNKTYPE, link=str(passwd)),
            member("device.jpg", kind=tarfile.CHRTYPE),
            member("line\nfeed.jpg", b"feed"),
        )
    )
    found = dict(read(archive))
    assert [found[f"hostile.tar/{name}"] for name in ("../../escape.jpg", "/etc/absolute.jpg", "line\nfeed.jpg")] == [
        b"up",
        b"root",
        b"feed",
    ]
    assert all(
        "in the archive: pack the image file itself" in str(found[f"hostile.tar/{name}.jpg"])
        for name in ("link", "hard", "device")
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hostile.tar", "passwd.jpg"]


def test_a_header_that_wants_all_memory_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 2**40
    (tmp_path / "bomb.tar").write_bytes(packed(member("a.jpg", b"a"))[:1024] + header.tobuf(tarfile.GNU_FORMAT))
    good, broken = read(tmp_path / "bomb.tar")
    assert good == ("bomb.tar/a.jpg", b"a")
    assert f"has a header of {2**40} bytes" in str(broken[1])


def test_memory_does_not_grow_with_the_members(tmp_path: Path) -> None:
    def most(count: int) -> int:
        path = tmp_path / f"{count}.tar"
        path.write_bytes(packed(*(member(f"{number:06}.jpg", b"x") for number in range(count))))
        tracemalloc.start()
        try:
            assert sum(isinstance(image, sources.Unread) for image in sources.find([str(path)])) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most(10)
    assert most(4000) < most(400) + 200_000


def test_a_source_that_is_not_an_archive_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_text("not an archive, but a text that is long enough" * 50)
    with pytest.raises(sources.NoImagesError, match=r"text.tar cannot be read as a tar archive"):
        sources.find([str(tmp_path / "text.tar")])


def test_an_archive_and_its_missing_rest_are_in_the_results(tmp_path: Path) -> None:
    path = tmp_path / "cut.tar"
    path.write_bytes(packed(*PETS)[: 7 * 512])
    with FakeServer() as server:
        result = classify(server, path)
    found = documents(result.stdout_bytes)
    assert result.exit_code == 3
    assert [document["classes"][0]["label"] for document in found[:-1]] == ["cat", "dog"]
    assert (found[-1]["source"], "those after them are missing" in found[-1]["error"]) == (str(path), True)


def test_an_archive_without_images_is_reported(tmp_path: Path) -> None:
    (tmp_path / "texts.tar").write_bytes(packed(member("a.txt", b"x")))
    ((name, what),) = read(tmp_path / "texts.tar")
    assert (name, "holds no images: 1 file left out: 1 text" in str(what)) == ("texts.tar", True)


def test_members_are_recognized_by_their_content_too_and_those_left_out_are_counted(tmp_path: Path) -> None:
    jpeg = b"\xff\xd8\xff" + bytes(9000)
    link = tarfile.TarInfo("link")
    link.type = tarfile.SYMTYPE
    (tmp_path / "a.tar").write_bytes(
        packed(member("photo", jpeg), member("a.pdf", b"%PDF-1.7"), (link, b""), member("b.jpg", b"b"))
    )
    choice = sources.Choice()
    found = [(image.name, image.read(2**20)) for image in sources.find([str(tmp_path / "a.tar")], choice=choice)]
    assert [(Path(name).name, data) for name, data in found] == [("photo", jpeg), ("b.jpg", b"b")]
    assert str(choice.left_out) == "1 PDF, 1 link, pipe or device"
