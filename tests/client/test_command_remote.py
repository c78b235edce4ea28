"""URLs: fsspec finds and reads their files ahead of the client."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from client.bulk import classify, documents
from client.test_command_archives import PETS, packed
from hubserve.testing import FakeServer
from hubserve_cli.bulk import sources
from hubserve_cli.common.words import to_install


@pytest.fixture
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    """A file system in memory, one for each process."""
    system = fsspec.filesystem("memory")
    for number in range(50):
        system.pipe(f"/bucket/album/{number:02}.jpg", b"image %d" % number)
    system.pipe("/bucket/album/deep/er/last.png", b"last")
    system.pipe("/bucket/album/notes.txt", b"no image")
    system.pipe("/bucket/pets.tar", packed(*PETS))
    yield system
    system.rm("/bucket", recursive=True)


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("memory://bucket/album", [*(f"{number:02}.jpg" for number in range(50)), "deep/er/last.png"]),
        ("memory://bucket/album/", [*(f"{number:02}.jpg" for number in range(50)), "deep/er/last.png"]),
        ("memory://bucket/album/0*.jpg", [f"{number:02}.jpg" for number in range(10)]),
        ("memory://bucket/album/notes.txt", ["notes.txt"]),
        ("memory://bucket/pets.tar", ["pets/cat.jpg", "dog.PNG"]),
    ],
)
def test_a_url_stands_for_a_file_a_folder_a_pattern_or_an_archive(url: str, names: list[str]) -> None:
    found = [sources.name_of(image) for image in sources.find([url])]
    assert [name.partition("album/")[2] or name.partition("pets.tar/")[2] for name in found] == names


@pytest.mark.usefixtures("bucket")
def test_images_behind_urls_are_classified_in_their_order() -> None:
    with FakeServer() as server:
        listed = b"memory://bucket/album/07.jpg\nmemory://bucket/gone.jpg\n"
        result = classify(server, "memory://bucket/album", "-", stdin=listed)
    found = documents(result.stdout_bytes)
    assert result.exit_code == 3
    assert [document["classes"][0]["label"] for document in found[:51]] == [*(f"image {n}" for n in range(50)), "last"]
    assert (found[51]["source"], found[51]["classes"][0]["label"]) == ("memory://bucket/album/07.jpg", "image 7")
    assert (found[52]["source"], "gone.jpg" in found[52]["error"]) == ("memory://bucket/gone.jpg", True)


@pytest.mark.usefixtures("bucket")
def test_only_what_is_wanted_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    open_file = type(fsspec.filesystem("memory")).open
    monkeypatch.setattr(
        type(fsspec.filesystem("memory")),
        "open",
        lambda self, path, *a, **k: opened.append(path) or open_file(self, path, *a, **k),
    )
    for image in sources.find(["memory://bucket/album"], wanted=lambda name: name.endswith("7.jpg")):
        assert isinstance(image, sources.Unread)
        image.read(100)
    assert [Path(path).name for path in sorted(opened)] == ["07.jpg", "17.jpg", "27.jpg", "37.jpg", "47.jpg"]


@pytest.mark.usefixtures("bucket")
def test_a_folder_that_cannot_be_listed_is_among_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    system = type(fsspec.filesystem("memory"))
    listing = system.ls

    def ls(self: object, path: str, **options: object) -> object:
        if path.endswith("deep"):
            raise PermissionError("not yours")
        return listing(self, path, **options)

    monkeypatch.setattr(system, "ls", ls)
    *_, last = sources.find(["memory://bucket/album"])
    assert sources.name_of(last) == "memory://bucket/album/deep"


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("memory://bucket/nowhere", 2, "memory://bucket/nowhere does not exist"),
        ("memory://bucket/*.tif", 2, "nothing matches memory://bucket/*.tif"),
        ("quark://bucket", 1, "quark://bucket cannot be reached: Protocol not known: quark"),
    ],
)
@pytest.mark.usefixtures("bucket")
def test_a_url_without_images_is_one_sentence(url: str, code: int, says: str) -> None:
    with FakeServer() as server:
        result = classify(server, url)
    assert (result.exit_code, server.requests) == (code, [])
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_missing_extra_is_named_with_its_command() -> None:
    program = (
        "import sys\nsys.modules['fsspec'] = None\nsys.modules['pyarrow'] = None\n"
        "from hubserve_cli.main import main\nmain(sys.argv[1:])"
    )
    common = ["--server", "localhost:9", "--model", "m"]
    for arguments, says in [
        (["s3://bucket/a"], to_install("remote")),
        ([".", "--output", "x.parquet"], to_install("parquet")),
    ]:
        command = [sys.executable, "-c", program, "classify", *arguments, *common]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, says in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr


def test_what_a_bucket_holds_besides_images_is_counted(bucket: fsspec.AbstractFileSystem) -> None:
    for name, data in {"one": b"\xff\xd8\xff", "two": b"%PDF-", "three.heic": b"", "four.json": b"{}"}.items():
        bucket.pipe_file(f"/mixed/{name}", data)
    choice = sources.Choice()
    found = [sources.name_of(image) for image in sources.find(["memory://mixed"], choice=choice)]
    assert found == ["memory://mixed/one"]
    assert str(choice.left_out) == "1 .json, 1 HEIC, 1 PDF"
