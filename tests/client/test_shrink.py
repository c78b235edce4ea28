"""Photographs that are shrunk before they are sent: which ones, and that the model gets the same pixels."""

import asyncio
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps
import pytest

from client.shells import SHELLS, classify
from hubserve import AsyncClient, Client, UnsuitableModel, UsageError
from hubserve._images.downscale import shrunk
from hubserve.testing import FakeServer
from support.photographs import encoded, mirrored

ORIENTATION = PIL.ExifTags.Base.Orientation


@pytest.fixture(scope="module")
def large() -> bytes:
    """A photograph of two megapixels."""
    return encoded(mirrored(1600, 1200), "JPEG", quality=92)


def opened(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data))


@pytest.mark.parametrize(
    ("size", "expected"),
    [(150, (200, 150)), (151, (400, 300)), (300, (400, 300)), (301, (800, 600)), (601, (1600, 1200))],
)
def test_a_side_is_halved_as_long_as_it_keeps_the_size(large: bytes, size: int, expected: tuple[int, int]):
    smaller = shrunk(large, size)

    assert opened(smaller).size == expected
    assert (smaller is large) == (size == 601)
    assert len(smaller) <= len(large) * (expected[0] / 1600)


def test_the_image_is_the_same(large: bytes):
    smaller = opened(shrunk(large, 300))

    # The model's resize averages as much as this does.
    whole, less = (
        np.asarray(image.resize((150, 150), PIL.Image.Resampling.BOX), float) for image in (opened(large), smaller)
    )
    assert np.abs(whole - less).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_kept_and_other_exif_is_not(orientation: int):
    picture = mirrored(800, 600)
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    exif[PIL.ExifTags.Base.ImageDescription] = "a long story" * 1000

    smaller = opened(shrunk(encoded(picture, "JPEG", exif=exif), 300))

    assert dict(smaller.getexif()) == {ORIENTATION: orientation}
    assert PIL.ImageOps.exif_transpose(smaller).size == ((400, 300) if orientation < 5 else (300, 400))


LEFT_ALONE: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "cmyk": ("JPEG", {}),
}


@pytest.mark.parametrize("case", [*LEFT_ALONE, "cut off", "only its beginning", "no image", "empty"])
def test_a_file_that_is_not_a_large_jpeg_is_sent_unchanged(case: str, large: bytes):
    data = {
        "cut off": large[:-1000],
        "only its beginning": b"\xff\xd8\xff\xe0 and no more",
        "no image": b"text",
        "empty": b"",
    }.get(case)
    if data is None:
        form, options = LEFT_ALONE[case]
        picture = mirrored(800, 600)
        data = encoded(picture.convert("CMYK") if case == "cmyk" else picture, form, **options)

    assert shrunk(data, 100) is data


def test_more_pixels_than_models_take_are_left_for_the_server_to_refuse():
    # 65 million, of one colour.
    data = encoded(PIL.Image.new("L", (10_000, 6_500)), "JPEG")

    assert shrunk(data, 300) is data


def test_grayscale_and_progressive_photographs_are_made_smaller():
    gray = opened(shrunk(encoded(mirrored(800, 600).convert("L"), "JPEG"), 300))
    progressive = opened(shrunk(encoded(mirrored(800, 600), "JPEG", progressive=True), 300))

    assert (gray.mode, gray.size) == ("L", (400, 300))
    assert (progressive.mode, progressive.size) == ("RGB", (400, 300))


def sent(server: FakeServer) -> list[tuple[int, int]]:
    return [opened(image).size for request in server.requests for image in request.images]


@pytest.mark.parametrize("shell", SHELLS)
def test_paths_files_and_bytes_are_made_smaller_than_twice_the_models_input(shell: str, large: bytes, tmp_path: Path):
    path = tmp_path / "large.jpg"
    path.write_bytes(large)
    with FakeServer(lambda image: {"cat": 1.0}, input_size=140) as server:
        results = classify(shell, server.target, [path, large, io.BytesIO(large), "nowhere.jpg"], shrink=True)

    assert [result.ok for result in results] == [True, True, True, False]
    assert [result.source for result in results] == [str(path), "image 1", "image 2", "nowhere.jpg"]
    assert sent(server) == [(400, 300)] * 3


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("shrink", "size"), [(False, (1600, 1200)), (600, (800, 600))])
def test_it_is_off_unless_asked_for_and_a_size_asks_no_server(
    shell: str, shrink: Any, size: tuple[int, int], large: bytes
):
    with FakeServer(lambda image: {"cat": 1.0}) as server:
        classify(shell, server.target, [large], shrink=shrink)

    assert sent(server) == [size]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_batcher_makes_them_smaller_too(shell: str, large: bytes):
    async def ask_async(target: str) -> None:
        async with AsyncClient(target, model="m", shrink=300) as client, client.classify_batcher() as batcher:
            await batcher.ask(large)

    with FakeServer(lambda image: {"cat": 1.0}) as server:
        if shell == "threads":
            with Client(server.target, model="m", shrink=300) as client, client.classify_batcher() as batcher:
                batcher.ask(large)
        else:
            asyncio.run(ask_async(server.target))

    assert sent(server) == [(400, 300)]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_model_that_does_not_tell_its_size_needs_to_be_given_one(shell: str, large: bytes):
    with FakeServer() as server, pytest.raises(UnsuitableModel, match="give shrink=SIZE"):
        classify(shell, server.target, [large], shrink=True)


@pytest.mark.parametrize("shell", SHELLS)
def test_while_the_server_is_away_its_absence_is_the_images_error(shell: str, large: bytes):
    with FakeServer() as server:
        target = server.target

    (result,) = classify(shell, target, [large], shrink=True, retry=None)

    assert "no answer from" in result.error


@pytest.mark.parametrize("wrong", [0, -1, 3.5, "yes"])
def test_a_size_that_makes_no_sense_is_refused(wrong: Any):
    with pytest.raises(UsageError, match="shrink must be True or the fewest pixels"):
        Client("localhost:1", model="m", shrink=wrong)


def test_without_pillow_the_error_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "PIL", None)

    with pytest.raises(UsageError, match=r'pip install "hubserve\[shrink\]"'):
        Client("localhost:1", model="m", shrink=True)
