"""The kind of a file by its bytes, and the messages for kinds that the server cannot decode."""

import base64
import io
import struct
import tarfile
import zipfile

import numpy as np
import PIL.Image
import pillow_heif
import pytest

from hubserve import Classification, Client
from hubserve._images.kinds import KINDS, Reader, kind_of
from hubserve._images.multi_picture import holds_several
from hubserve.testing import FakeServer
from support.photographs import encoded, image


def heic(*pictures: PIL.Image.Image) -> bytes:
    file = pillow_heif.from_pillow(pictures[0])
    for picture in pictures[1:]:
        file.add_from_pillow(picture)
    data = io.BytesIO()
    file.save(data, quality=90)
    return data.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", "b")
    return file.getvalue()


def numpy_file() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def tiff_with(*entries: tuple[int, int, int], order: str = "<") -> bytes:
    magic = b"II*\0" if order == "<" else b"MM\0*"
    body = b"".join(
        struct.pack(f"{order}HHI", tag, form, 1) + struct.pack(f"{order}HH" if form == 3 else f"{order}I", *values)
        for tag, form, *values in [
            (tag, form, *((value, 0) if form == 3 else (value,))) for tag, form, value in entries
        ]
    )
    return magic + struct.pack(f"{order}IH", 8, len(entries)) + body + bytes(4)


PICTURE = image().resize((40, 30))
FILES = {
    "JPEG": encoded(PICTURE, "JPEG"),
    "PNG": encoded(PICTURE, "PNG"),
    "GIF": encoded(PICTURE, "GIF"),
    "BMP": encoded(PICTURE, "BMP"),
    "WebP": encoded(PICTURE, "WEBP"),
    "BMP of a rare form": encoded(PICTURE.convert("1"), "BMP"),
    "HEIC": heic(PICTURE),
    "AVIF": encoded(PICTURE, "AVIF"),
    "TIFF": encoded(PICTURE, "TIFF"),
    "JPEG 2000": encoded(PICTURE, "JPEG2000"),
    "PNM": encoded(PICTURE, "PPM"),
    "RAW": tiff_with((254, 4, 1), order=">"),
    "PSD": b"8BPS\0\1",
    "ICO": encoded(PICTURE, "ICO"),
    "SVG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "PDF": encoded(PICTURE, "PDF"),
    "HTML": b"\n<!DOCTYPE html><html><title>Sign in</title>",
    "XML": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "JSON": b'{"error": "not found"}',
    "base64 text": base64.b64encode(encoded(PICTURE, "JPEG")),
    "Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00",
    "text": "Öl auf Leinwand, 1920".encode(),
    "video": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
    "archive": zipped(),
    "NumPy": numpy_file(),
    "zeros": bytes(5000),
    "empty": b"",
    "other": b"\x01\x02\x03\xfe\xff",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_recognized_by_its_first_bytes(name: str):
    assert kind_of(FILES[name]).name == name
    # A view of a larger file's memory, too.
    assert kind_of(memoryview(FILES[name])).name == name


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (tar(), "archive"),
        (b"data:image/png;base64,iVBORw0KGgo=", "base64 text"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "RAW"),
        (tiff_with((50706, 4, 1)), "RAW"),
        (tiff_with((262, 3, 32803)), "RAW"),
        (tiff_with((254, 4, 0), (262, 3, 2)), "TIFF"),
        (b"II*\0", "TIFF"),
        (b"BM", "text"),
        (b"BM" + bytes(12) + b"\x0c\0\0\0\x28\0\x1e\0\x01\0\x18\0" + bytes(30), "BMP of a rare form"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nENDHDR\n\1\2\3", "PAM or colour PFM"),
        (b"PF\n1 1\n-1.0\n" + bytes(12), "PAM or colour PFM"),
        (b"plain words, and nothing else at all" * 20, "text"),
    ],
)
def test_rarer_beginnings(data: bytes, name: str):
    assert kind_of(data).name == name


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_that_only_the_client_reads_says_how(name: str):
    result = Classification(source="a", index=0, status=1, kind=name)

    assert result.error is not None
    assert result.error.startswith("the server cannot decode it")
    assert ("hubserve[photos]" in result.error) == (KINDS[name].reader is Reader.CLIENT)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("HEIC", "this is a HEIC photograph: pip install 'hubserve[photos]', and give convert=True or --convert"),
        ("HTML", "this is an HTML page"),
        ("PDF", "this is a PDF document"),
        ("zeros", "this is a file that begins with zeros: copy it again"),
        ("video", "this is a video"),
        ("base64 text", "give base64.b64decode(...) of it"),
        ("WebP", "though it begins like a WebP file: it is damaged"),
        ("other", "send a JPEG, PNG, GIF, BMP or WebP file"),
    ],
)
def test_a_file_that_the_server_cannot_decode_is_called_by_its_name(name: str, words: str):
    with FakeServer(lambda image: 1) as server, Client(server.target, model="m") as client:
        (result,) = client.classify([FILES[name]])

    assert result.kind == name
    assert words in str(result.error)


def frames(form: str, **options: object) -> bytes:
    others = [PICTURE.rotate(angle) for angle in (90, 180)]
    return encoded(PICTURE, form, save_all=True, append_images=others, **options)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "MPO"])
def test_the_first_of_several_images_is_noted_as_the_first(form: str):
    single = encoded(PICTURE, "JPEG" if form == "MPO" else form)

    with FakeServer(lambda image: {"cat": 1.0}) as server, Client(server.target, model="m") as client:
        several, one = client.classify([frames(form), single])

    assert several.note == "the file holds several images, and only the first was used"
    assert one.note is None


def test_a_gif_that_is_cut_anywhere_ends_the_look_into_it():
    data = frames("GIF")

    assert [holds_several(data[:end]) for end in range(len(data))][-1]
    assert not holds_several(data[:100])
