"""Binary files of every kind as images: read from their position to their end, or refused with a reason."""

import io
import os
import socket
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hubserve._images.encode import encode
from support.photographs import encoded, mirrored

# More than a pipe or a socket gives at once.
LARGE = encoded(mirrored(600, 500), "PNG")


class Slow:
    """A stream that gives at most a thousand bytes at a time, and does not know its position."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int) -> bytearray:
        return bytearray(self._file.read(min(size, 1000)))


def test_a_stream_that_gives_a_part_at_a_time_is_read_to_its_end():
    assert len(LARGE) > 200_000
    assert encode(0, Slow(LARGE)).data == LARGE

    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as pipe:
        assert _fed(pipe, partial(open, writing, "wb", buffering=0)) == LARGE

    ours, theirs = socket.socketpair()
    with ours, socket.SocketIO(ours, "r") as stream:
        assert _fed(stream, lambda: theirs.makefile("wb"), theirs.close) == LARGE


def _fed(stream: Any, open_end: Any, close: Any = lambda: None) -> bytes:
    def feed() -> None:
        with open_end() as end:
            left = memoryview(LARGE)
            while left:
                left = left[end.write(left) :]
        close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        return encode(0, stream).data
    finally:
        feeder.join(60)


def test_several_images_in_one_stream_begin_where_it_stands():
    stream = io.BytesIO(b"header" + LARGE)
    stream.seek(6)

    assert encode(0, stream).data == LARGE


def test_a_stream_inside_of_an_image_says_that_it_was_read_before():
    stream = io.BytesIO(LARGE)
    stream.read(10)

    assert "its first 10 bytes were read before" in str(encode(0, stream).error)
    assert "seek(0)" in str(encode(0, stream).error)


class Gives:
    def __init__(self, what: Any) -> None:
        self.what = what

    def read(self, size: int) -> Any:
        return self.what


class Awaited:
    async def read(self, size: int) -> bytes:
        return b""


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (Gives("text"), 'open it with mode "rb"'),
        (Gives(None), "the stream does not block"),
        (Gives(7), "gives int, not bytes"),
        (Awaited(), "its read() is a coroutine: await it"),
        (Gives(bytes(2**26)), "more than 384 MiB"),
    ],
)
def test_a_stream_of_another_kind_says_so(stream: object, words: str):
    assert words in str(encode(0, stream).error)


def test_a_file_that_is_open_for_writing_says_so(tmp_path: Path):
    with (tmp_path / "cat.jpg").open("wb") as file:
        assert "not open for reading" in str(encode(0, file).error)
