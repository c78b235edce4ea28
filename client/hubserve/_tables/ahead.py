"""Files behind URLs, which other threads read before their turn: for the cells of tables, and for the command."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar, cast

from .._errors import ImageError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*::)*[A-Za-z][A-Za-z0-9+.-]*://")
# A bucket answers in tens of milliseconds: that many readers keep a server busy, and their images fit any memory.
_READERS = 16
_AHEAD = 2 * _READERS
# More than the client accepts for an image: it refuses larger ones itself.
MOST_BYTES = 2**29
_Image = TypeVar("_Image")


def is_url(text: str) -> bool:
    """Tell whether it is a URL for fsspec: `s3://bucket/cat.jpg`, or chained: `zip://cat.jpg::s3://bucket/a.zip`."""
    return _URL.match(text) is not None


class ReadAhead:
    """An image that can be read before its turn."""

    __slots__ = ()

    def begin(self, readers: Executor) -> None:
        """Begin to read the image, on another thread.

        Args:
            readers: The threads.
        """


class Remote(ReadAhead):
    """A file that another thread reads: `Remote("s3://bucket/cat.jpg")`.

    Args:
        name: Its URL.
        fetch: Returns its bytes. None: fsspec reads the URL.
    """

    __slots__ = ("_begun", "_fetch", "_read", "name")

    def __init__(self, name: str, fetch: Callable[[], bytes] | None = None) -> None:
        self.name = name
        self._fetch = partial(_fetched, name) if fetch is None else fetch
        self._begun: Future[bytes] | None = None
        self._read = False

    def begin(self, readers: Executor) -> None:
        """Begin to read the file."""
        self._begun = readers.submit(self._fetch)

    def read(self, _: int = -1) -> bytes:
        """Return the file's bytes, and none when it is called again."""
        if self._read:
            return b""
        self._read = True
        begun, self._begun = self._begun, None
        return self._fetch() if begun is None else begun.result()


def ahead(images: Iterable[_Image], *, at_once: Callable[[_Image], bool] = lambda _: False) -> Iterator[_Image]:
    """Let other threads read the next remote files while the client works on earlier ones.

    Args:
        images: All images, in their order; those that are a `ReadAhead` are begun.
        at_once: Tells whether an image must be read before the next one is requested, as in a stream.
    """
    waiting: deque[_Image] = deque()
    readers: ThreadPoolExecutor | None = None
    remote = 0
    try:
        for image in images:
            if isinstance(image, ReadAhead):
                readers = readers or ThreadPoolExecutor(_READERS, thread_name_prefix="hubserve-remote")
                image.begin(readers)
                remote += 1
            waiting.append(image)
            # Without remote files nothing is held back.
            while waiting and (not remote or len(waiting) >= _AHEAD or at_once(image)):
                given = waiting.popleft()
                remote -= isinstance(given, ReadAhead)
                yield given
        yield from waiting
    finally:
        if readers is not None:
            readers.shutdown(wait=False, cancel_futures=True)


def _fetched(url: str) -> bytes:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImageError(f"{url} needs fsspec: install hubserve[remote] where the images are read") from error
    system, path = url_to_fs(url)
    with system.open(path, "rb") as file:
        return cast(bytes, file.read(MOST_BYTES))
