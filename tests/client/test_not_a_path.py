"""Text that was given as a path but is not one: the error says what it is, and real paths are left unchanged."""

import base64
from pathlib import Path

import pytest

from hubserve._images.encode import encode
from support.photographs import CHELSEA, encoded, image

JPEG = encoded(image(CHELSEA).resize((100, 80)), "JPEG")
BASE64 = base64.b64encode(JPEG).decode()
DECODE = "this is base64 text, not a path: give base64.b64decode(...) of it"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(BASE64, DECODE, id="base64"),
        pytest.param(
            base64.b64encode(bytes(range(256)) * 12_000).decode(), "(4,096,000 characters): " + DECODE, id="megabytes"
        ),
        pytest.param(base64.encodebytes(JPEG).decode(), DECODE, id="base64 in lines"),
        pytest.param(base64.urlsafe_b64encode(JPEG).decode(), DECODE, id="base64 for URLs"),
        pytest.param(BASE64[:60], DECODE, id="beginning of base64"),
        pytest.param(f"data:image/jpeg;base64,{BASE64[:40]}", DECODE, id="data URL"),
        pytest.param(f"DATA:image/jpeg;name=x.jpg;BASE64,{BASE64}", DECODE, id="data URL with a name"),
        pytest.param("data:image/svg+xml,%3Csvg/%3E", "this is a data: URL", id="data URL of text"),
        pytest.param(JPEG.hex(), "hexadecimal text, not a path: give bytes.fromhex(...)", id="hexadecimal"),
        pytest.param(JPEG.decode("latin-1"), 'the bytes of an image as text, not a path: open its file with mode "rb"'),
        pytest.param("https://example.org/cat.jpg", "this is a web address, not a path", id="web address"),
        pytest.param("S3://bucket/cat.jpg", "this is a web address, not a path", id="bucket"),
        pytest.param("file:///photos/cat.jpg", "this is a file: URL, not a path: give its path alone", id="file URL"),
        pytest.param('{"b64": "/9j/"}', "this is JSON text, not a path", id="JSON"),
        pytest.param("<html><body>", "this is HTML or XML text, not a path", id="HTML"),
        pytest.param("letters and blanks, " * 300_000, "(6,000,000 characters): this is text, not a path", id="text"),
        pytest.param("x." * 150 + "jpg", "this is text, not a path", id="a name that no file system takes"),
        pytest.param("", "this is an empty path", id="empty"),
        pytest.param(" \n", "this is an empty path", id="blanks"),
    ],
)
def test_text_that_is_not_a_path_is_called_what_it_is(text: str, words: str):
    failed = encode(0, text)

    assert words in str(failed.error)
    assert len(str(failed.error)) < 400
    assert len(failed.source) < 250
    assert "\n" not in str(failed.error)


def test_a_path_in_quotation_marks_or_with_a_line_end_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "cat.jpg").write_bytes(JPEG)
    for text in (f"{tmp_path}/cat.jpg\n", f'"{tmp_path}/cat.jpg"', f" {tmp_path}/cat.jpg"):
        failed = encode(0, text)
        assert "blanks, line ends or quotation marks around it" in str(failed.error)
        assert "\n" not in str(failed.error)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "os.path.expanduser" in str(encode(0, "~/cat.jpg").error)


@pytest.mark.parametrize("name", ["two\nlines.jpg", " blank .jpg", "a" * 240, "https:", "data:,x", "~", "[1].jpg"])
def test_a_file_is_read_whatever_its_name_looks_like(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(JPEG)

    assert encode(0, f"{tmp_path}/{name}").data == JPEG
    assert encode(0, f"{tmp_path}/{name}").source == f"{tmp_path}/{name}"


def test_a_long_path_of_letters_alone_is_a_path_where_it_is_there(tmp_path: Path):
    folder = tmp_path.joinpath(*["abcdefgh"] * 40)
    folder.mkdir(parents=True)
    (folder / "cat").write_bytes(JPEG)

    assert encode(0, str(folder / "cat")).source == str(folder / "cat")
