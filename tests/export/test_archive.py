"""Archives of models: which are unpacked, and the message for each kind that is not."""

import bz2
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hubserve_export import SourceError
from hubserve_export._archive import unpack

MODEL = {"saved_model.pb": b"graph", "variables/variables.index": b"index" * 5000}


def tar(names: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as written:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            written.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            written.addfile(info)
    return buffer.getvalue()


def zipped(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        for name, data in names.items():
            written.writestr(name, data)
    return buffer.getvalue()


def below(folder: str, names: dict[str, bytes] = MODEL) -> dict[str, bytes]:
    return {f"{folder}/{name}": data for name, data in names.items()}


@pytest.mark.parametrize(
    ("packed", "found"),
    [
        (gzip.compress(tar(MODEL)), "."),
        # Some browsers decompress what they download, and keep the name.
        (tar(MODEL), "."),
        (bz2.compress(tar(MODEL)), "."),
        (gzip.compress(tar(below("top"))), "top"),
        (gzip.compress(tar(below("some/folder") | {"other/readme.md": b""})), "some/folder"),
        # macOS adds such files.
        (gzip.compress(tar(MODEL | {"._saved_model.pb": b"", "__MACOSX/._x": b""})), "."),
        # A SavedModel inside another one belongs to it.
        (gzip.compress(tar(MODEL | below("assets/teacher"))), "."),
        (gzip.compress(tar(MODEL, {"assets/graph": "../saved_model.pb"})), "."),
        # A folder of that name is not a SavedModel.
        (gzip.compress(tar(below("m") | {"notes/saved_model.pb/readme": b""})), "m"),
    ],
    ids=["tar.gz", "tar", "tar.bz2", "one top folder", "deep", "macOS", "nested", "link inside", "folder of that name"],
)
def test_a_model_is_found_in_its_archive(tmp_path: Path, packed: bytes, found: str) -> None:
    (tmp_path / "m.tar.gz").write_bytes(packed)
    folder = tmp_path / "new"
    assert unpack(tmp_path / "m.tar.gz", folder) == folder / found


def damaged(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle : middle + 40]) + packed[middle + 40 :]


def random_bytes(count: int) -> bytes:
    return b"".join(bytes([(at * 7919) >> 3 & 0xFF]) for at in range(count))


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (b"", "it is empty); download it again"),
        (b"<!DOCTYPE html><html>sign in</html>", "it is a web page); open the model's page in a browser"),
        (b"\xef\xbb\xbf \n<html></html>", "it is a web page"),
        (b'{"code": 403}', "it is not a tar); download or pack it again"),
        (zipped(MODEL), "it is a .zip); unpack it, and give the folder that has saved_model.pb"),
        (gzip.compress(b"<html></html>"), "it is cut or damaged); download or pack it again"),
        (gzip.compress(tar(MODEL))[:-10], "it is cut or damaged"),
        (damaged(gzip.compress(tar(MODEL | {"x": random_bytes(60_000)}))), "it is cut or damaged"),
        (gzip.compress(tar({"readme": b""})), "must hold exactly one SavedModel"),
        (gzip.compress(tar(below("a") | below("b"))), "and holds a, b; unpack it, and give the folder of one"),
        (gzip.compress(tar(MODEL | {"../outside": b""})), "must keep inside its own folder"),
        (gzip.compress(tar(MODEL, {"assets/x": "/etc/passwd"})), "must keep inside its own folder"),
        (gzip.compress(tar(MODEL, {"assets/x": "../../outside"})), "must keep inside its own folder"),
        (
            gzip.compress(tar(below("m") | {"shared": b"x"}, {"m/variables/weights": "../../shared"})),
            "is a link that leads out of the model; pack it again with tar --dereference",
        ),
        (gzip.compress(tar(MODEL, {"assets/x": "nowhere"})), "is a link that leads out of the model"),
    ],
    ids=[
        "empty", "web page", "web page with a mark", "JSON", "zip", "gzipped page", "cut", "damaged", "no model",
        "two models", "reaches outside", "absolute link", "link outside", "link to another folder", "link to nothing",
    ],
)  # fmt: skip
def test_files_that_are_not_archives_of_a_model_are_distinguished(tmp_path: Path, packed: bytes, says: str) -> None:
    (tmp_path / "m.tar.gz").write_bytes(packed)
    with pytest.raises(SourceError) as raised:
        unpack(tmp_path / "m.tar.gz", tmp_path / "new")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "outside").exists()


def test_a_cut_anywhere_is_one_line(tmp_path: Path) -> None:
    packed = gzip.compress(tar(MODEL | {"x": random_bytes(5_000)}))
    archive = tmp_path / "m.tar.gz"
    for at in range(0, len(packed), 97):
        archive.write_bytes(packed[:at])
        with pytest.raises(SourceError) as raised:
            unpack(archive, tmp_path / str(at))
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_damaged_byte_anywhere_is_one_line_or_no_harm(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    model = MODEL | {"x": random_bytes(5_000)}
    packed = compress(tar(model))
    archive = tmp_path / "m.tar.gz"
    for at in range(0, len(packed), 101):
        archive.write_bytes(packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :])
        raised = None
        try:
            found = unpack(archive, tmp_path / str(at))
        except SourceError as error:
            raised = str(error)
        if raised is None:  # The damaged byte is one of the header's, such as the time.
            assert {
                str(file.relative_to(found)): file.read_bytes() for file in found.rglob("*") if file.is_file()
            } == model
        else:
            assert "\n" not in raised


def test_no_room_for_the_model_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "m.tar.gz").write_bytes(gzip.compress(tar(MODEL)))
    (tmp_path / "new").write_bytes(b"")  # a file, where a folder is to be
    with pytest.raises(SourceError, match=r"cannot be unpacked into .* \(.*\); set TMPDIR to a folder"):
        unpack(tmp_path / "m.tar.gz", tmp_path / "new")
