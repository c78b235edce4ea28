"""Images in tar archives, one after another in their order: nothing is unpacked, and nothing is read twice.

A member is only a name and bytes for the server, so that its path and its links cannot do harm. If the rest of an
archive cannot be read, it is returned as an image that cannot be read, under the archive's own name.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from tarfile import EOFHeaderError, HeaderError  # type: ignore[attr-defined]
from typing import IO, Any, cast

from hubserve import ImageError
from hubserve.internals import HEAD_BYTES, SPECIAL, Choice

from ._items import Image, NoImagesError, Streamed, unreadable

_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz", ".tar.lzma")
# tarfile's readers of streams stop after the first part of a compressed file with several, and check no checksums.
_OPENERS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x5d\x00\x00": lzma.LZMAFile,
}
_BUFFER = 2**18
# Names and attributes that do not fit into a header have a block of their own, which tarfile reads into memory whole.
_LARGEST_HEADER = 2**20
_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class _Broken(Exception):  # noqa: N818 - the text follows the archive's name
    """The reason why an archive cannot be read, as words that follow its name."""


class _Header(tarfile.TarInfo):
    """A member's header, read strictly: tarfile takes a broken header for the end of the archive, without an error."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> _Header:
        try:
            return super().fromtarfile(tarfile)
        except EOFHeaderError:
            raise  # Every whole archive ends with a block of zeros.
        except HeaderError as error:
            raise _Broken("is cut short or broken") from error

    def _proc_member(self, archive: tarfile.TarFile) -> _Header:
        # tarfile calls this method with every header, and documents it as the one to override.
        if self.type in _HEADERS and self.size > _LARGEST_HEADER:
            raise _Broken(f"has a header of {self.size} bytes")
        return cast(_Header, super()._proc_member(archive))  # type: ignore[misc]


def is_archive(name: str) -> bool:
    """Tell whether a file is taken for an archive, by its name."""
    return name.lower().endswith(_SUFFIXES)


def in_file(path: str, choice: Choice) -> Iterator[Image]:
    """Return the images in an archive on this machine.

    Raises:
        NoImagesError: It is not an archive, or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            _opened(file).close()
    except (_Broken, tarfile.TarError, EOFError, lzma.LZMAError, OSError) as error:
        reason = getattr(error, "strerror", None) or "it does not begin as one"
        raise NoImagesError(f"{path} cannot be read as a tar archive: {reason}") from error
    return images(path, lambda: open(path, "rb", buffering=_BUFFER), choice)


def images(name: str, open_archive: Callable[[], IO[bytes]], choice: Choice) -> Iterator[Image]:
    """Return the images in an archive; each must be read before the next is requested."""
    number = 0
    before = choice.left_out.copy()
    try:
        with open_archive() as file, _opened(file) as archive:
            while (member := archive.next()) is not None:
                # tarfile keeps all members that it has seen, for a search that a stream does not allow.
                archive.members.clear()  # type: ignore[attr-defined]
                image = None if member.isdir() else _image(f"{name}/{member.name}", archive, member, choice)
                if image is not None:
                    number += 1
                    yield image
    # Compression and remote files raise errors of many kinds.
    except Exception as error:  # noqa: BLE001
        reason = str(error) if isinstance(error, _Broken) else f"cannot be read further ({error or 'it is cut short'})"
        yield unreadable(name, f"the archive {reason} after {number} images: those after them are missing")
        return
    if not number:
        yield unreadable(name, choice.none_in("the archive", before))


def _image(name: str, archive: tarfile.TarFile, member: tarfile.TarInfo, choice: Choice) -> Image | None:
    """Return a member; None: it is not an image, and is counted."""
    taken = choice.by_name(name)
    if not member.isreg() or member.issparse():
        if not taken and not choice.by_kind(name, SPECIAL):
            return None
        kind = "a link" if member.issym() or member.islnk() else "not a regular file"
        return unreadable(name, f"it is {kind} in the archive: pack the image file itself")
    content = archive.extractfile(member)
    assert content is not None  # noqa: S101 - it is a regular member

    def read(size: int) -> bytes:
        try:
            return content.read(size)
        except Exception as error:
            raise ImageError(f"the archive ends or breaks inside it ({error or 'it is cut short'})") from error

    if taken:
        return Streamed(name, read, key=key_of(member.name))
    head = content.read(HEAD_BYTES)
    return (
        Streamed(name, lambda size: head + read(size - len(head)), key=key_of(member.name))
        if choice.by_head(name, head)
        else None
    )


def key_of(member: str) -> str | None:
    """Return a member's key, as WebDataset takes it: its path up to the first dot of the file's name; None: no dot."""
    folder, separator, name = member.rpartition("/")
    key, dot, _ = name.partition(".")
    return f"{folder}{separator}{key}" if key and dot else None


def _opened(file: IO[bytes]) -> tarfile.TarFile:
    """Open an archive from its first byte on, compressed or not."""
    # A remote file may not have `peek`.
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast(Any, file), _BUFFER)
    first = buffered.peek(6)
    unpacked: Any = next((opener(buffered) for magic, opener in _OPENERS.items() if first.startswith(magic)), buffered)
    return tarfile.open(
        fileobj=unpacked, mode="r|", tarinfo=_Header, bufsize=_BUFFER, encoding="utf-8", errors="surrogateescape"
    )
