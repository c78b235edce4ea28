"""A folder in place of images: the same images in the same order as the command takes, and what is left out is told."""

import asyncio
import os
import warnings
from pathlib import Path

import pytest

from client import bulk
from hubserve import AsyncClient, Client, UsageError
from hubserve.testing import FakeServer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bulk.images(tmp_path / "photos" / "below", 2)
    bulk.images(tmp_path / "photos", 3)
    (tmp_path / "photos" / "UPPER.JPEG").write_bytes(b"upper")
    (tmp_path / "photos" / "no-suffix").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 20)
    return tmp_path / "photos"


def test_a_folder_gives_the_images_of_the_command_in_its_order(folder: Path) -> None:
    with FakeServer() as server, Client(server.target, model="m") as client:
        by_command = bulk.sources(bulk.classify(server, folder).stdout_bytes)
        assert [result.source for result in client.classify(str(folder))] == by_command
        assert [result.source for result in client.classify(folder)] == by_command
    assert len(by_command) == 7


def test_an_async_client_takes_a_folder(folder: Path) -> None:
    async def sources() -> list[str]:
        async with AsyncClient(server.target, model="m") as client:
            return [result.source async for result in client.classify(folder)]

    with FakeServer() as server:
        assert len(asyncio.run(sources())) == 7


def test_what_is_left_out_is_told_with_the_remedy(folder: Path) -> None:
    (folder / "notes.txt").write_text("notes")
    (folder / "phone.heic").write_bytes(b"\x00\x00\x00\x18ftypheic" + b"\x00" * 40)
    said = "2 files left out: 1 .txt, 1 HEIC; convert=True classifies HEIC|2 files left out: .*HEIC"
    with FakeServer() as server, Client(server.target, model="m") as client:
        with pytest.warns(UserWarning, match=said):
            assert len(list(client.classify(str(folder)))) == 7
        # Who does not want to hear it says so as for any warning.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            assert len(list(client.classify(str(folder)))) == 7


def test_a_single_file_and_a_folder_that_is_not_there_are_still_refused(folder: Path) -> None:
    with FakeServer() as server, Client(server.target, model="m") as client:
        for one in (str(folder / "0000.jpg"), folder / "0000.jpg", str(folder / "gone")):
            with pytest.raises(UsageError, match=r"write \[image\]"):
                client.classify(one)
        (result,) = client.classify([os.fspath(folder)])
        assert not result.ok


def test_an_empty_folder_gives_no_result(tmp_path: Path) -> None:
    with FakeServer() as server, Client(server.target, model="m") as client:
        assert list(client.classify(tmp_path)) == []
