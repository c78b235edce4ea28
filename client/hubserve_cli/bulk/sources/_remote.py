"""Images behind URLs, through fsspec: buckets, web servers, and all its other file systems."""

from __future__ import annotations

import functools
import glob
import itertools
import os
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any

import click

from hubserve.internals import HEAD_BYTES, Choice

from ...common.exit_codes import MissingExtraError
from . import _archives
from ._items import Image, NoImagesError, Unread, unreadable

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*::)*[A-Za-z][A-Za-z0-9+.-]*://")
# A bucket answers in tens of milliseconds: that many readers keep a server busy, and their images fit any memory.
_READERS = 16
_AHEAD = 2 * _READERS
# More than the client accepts for an image: it refuses larger ones itself.
_MOST = 2**29


def is_url(source: str) -> bool:
    """Tell whether it is a URL for fsspec: `s3://bucket/photographs`, or chained: `zip://*.jpg::s3://bucket/a.zip`."""
    return _URL.match(source) is not None


class _File(Unread):
    """A remote file, which another thread begins to read before its turn."""

    __slots__ = ("_begun", "_path", "_system")

    def __init__(self, url: str, system: Any, path: str) -> None:
        super().__init__(url, self._take)
        self._system = system
        self._path = path
        self._begun: Future[bytes] | None = None

    def begin(self, readers: ThreadPoolExecutor) -> None:
        """Begin to read the file."""
        self._begun = readers.submit(self._fetch)

    def _fetch(self) -> bytes:
        with _open(self._system, self._path) as opened:
            return opened.read(_MOST)

    def _take(self, _: int) -> bytes:
        assert self._begun is not None  # noqa: S101 - `ahead` began it
        begun, self._begun = self._begun, None
        return begun.result()


def file(url: str) -> Image:
    """Return one file, without looking whether it exists."""
    try:
        system, path = _system(url)
    # Each file system raises its own errors.
    except Exception as error:  # noqa: BLE001
        return unreadable(url, getattr(error, "message", None) or f"no file system opens it ({error})")
    return _File(url, system, path)


def found(url: str, choice: Choice) -> Iterator[Image]:
    """Return the images that a URL stands for: a file, a folder with all below it, an archive, or a pattern.

    Raises:
        NoImagesError: There is no image at the URL.
        click.ClickException: It cannot be reached; or fsspec, or a package for this kind of URL, is not installed.
    """
    try:
        system, path = _system(url)
        if _archives.is_archive(url) and system.isfile(path):
            return _archives.images(url, lambda: _open(system, path), choice)
        if system.isfile(path):
            return iter([_File(url, system, path)])
        if system.isdir(path):
            images = _below(url.rstrip("/"), system, path, choice)
            otherwise = functools.partial(choice.none_in, url, choice.left_out.copy())
        elif glob.has_magic(path):
            entries = system.glob(path, detail=True)
            names = (name for name, about in sorted(entries.items()) if about["type"] != "directory")
            images = (_File(system.unstrip_protocol(name), system, name) for name in names)
            otherwise = functools.partial("nothing matches {}".format, url)
        else:
            raise NoImagesError(f"{url} does not exist")
        first = next(images, None)
    except click.ClickException:
        raise
    except Exception as error:
        raise click.ClickException(f"{url} cannot be reached: {error or type(error).__name__}") from error
    if first is None:
        raise NoImagesError(otherwise())
    return itertools.chain([first], images)


def ahead(images: Iterator[Image]) -> Iterator[Image]:
    """Let other threads read the next remote files while the client works on earlier ones."""
    waiting: deque[_File] = deque()
    readers: ThreadPoolExecutor | None = None
    try:
        for image in images:
            if not isinstance(image, _File):
                yield from _drained(waiting)
                yield image
                continue
            readers = readers or ThreadPoolExecutor(_READERS, thread_name_prefix="hubserve-remote")
            image.begin(readers)
            waiting.append(image)
            if len(waiting) == _AHEAD:
                yield waiting.popleft()
        yield from _drained(waiting)
    finally:
        if readers is not None:
            readers.shutdown(wait=False, cancel_futures=True)


def _drained(waiting: deque[_File]) -> Iterator[Image]:
    while waiting:
        yield waiting.popleft()


def _system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it.

    Raises:
        click.ClickException: fsspec, or a package for this kind of URL, is not installed.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingExtraError(f"{url} needs fsspec", "remote") from error
    try:
        system, path = url_to_fs(url)
    except ImportError as error:
        raise click.ClickException(f"{url} needs a package besides fsspec: {error}") from error
    return system, path


def _below(url: str, system: Any, root: str, choice: Choice) -> Iterator[Image]:
    """Walk with one folder's names in memory; fsspec's own walk hides folders that it cannot read."""
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(system.ls(folder, detail=True), key=lambda entry: str(entry["name"]))
        # Each file system raises its own errors.
        except Exception as error:  # noqa: BLE001
            yield unreadable(_url(url, root, system, folder), f"the folder cannot be read ({error})")
            continue
        # The file system would keep every name that it has ever listed.
        system.invalidate_cache(folder)
        below = []
        for entry in entries:
            path = entry["name"]
            if entry["type"] == "directory":
                # Some file systems list a folder as its own member.
                below += [path] if path.rstrip("/") != folder.rstrip("/") else []
            elif _takes(system, path, choice):
                yield _File(_url(url, root, system, path), system, path)
        folders += reversed(below)


def _takes(system: Any, path: str, choice: Choice) -> bool:
    """Tell whether a remote file is taken for an image; if not, it is counted.

    To read a file costs a request, so only files without a suffix are read; others are chosen by their suffix.
    """
    if choice.by_name(path) or os.path.splitext(path)[1]:
        return choice.by_suffix(path)
    try:
        with _open(system, path) as opened:
            return choice.by_head(path, opened.read(HEAD_BYTES))
    # The file will be among the results, with the reason. Each file system raises its own errors.
    except Exception:  # noqa: BLE001
        return True


def _url(url: str, root: str, system: Any, path: str) -> str:
    """Return a path's URL, spelled as the user spelled that of the root."""
    root = root.rstrip("/")
    return url + path[len(root) :] if path.startswith(root) else str(system.unstrip_protocol(path))


def _open(system: Any, path: str) -> IO[bytes]:
    opened: IO[bytes] = system.open(path, "rb")
    return opened
