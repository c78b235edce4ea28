"""The choice of image files in a folder, an archive or a bucket, and counts of the files that are left out."""

from __future__ import annotations

import copy
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator

from .kinds import AVIF, HEAD_BYTES, HEIC, JPEG_2000, OTHER, PNM, RAW, TIFF, Kind, Reader, kind_of

# Files with these suffixes are taken for images: one that is not becomes a failed record that names its kind.
SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".jif",
        ".pjpeg",
        ".pjp",
        ".mpo",
        ".png",
        ".apng",
        ".gif",
        ".bmp",
        ".dib",
        ".webp",
    }
)
# Only the client can read these, with --convert.
CONVERTED_SUFFIXES: dict[str, Kind] = {
    **dict.fromkeys((".heic", ".heif", ".hif"), HEIC),
    **dict.fromkeys((".avif", ".avifs"), AVIF),
    **dict.fromkeys((".tif", ".tiff"), TIFF),
    **dict.fromkeys((".jp2", ".j2k", ".j2c", ".jpf", ".jpx"), JPEG_2000),
    **dict.fromkeys((".pbm", ".pgm", ".ppm", ".pnm", ".pfm"), PNM),
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"), RAW),
}
# Suffixes are arbitrary, and all of them could be different.
_MOST_KINDS = 1000
_SHOWN_KINDS = 8


# Members of a folder or an archive that are not files with a content.
SPECIAL = Kind("link, pipe or device", "a link, a pipe or a device")
_DANGLING = Kind("broken link", "a link to a file that does not exist")


class LeftOut:
    """Count files that are left out, by kind: `str(left_out)` is `480 HEIC, 20 PDF`.

    Args:
        tell: Called with the name and the kind of each such file.
    """

    def __init__(self, tell: Callable[[str, str], object] | None = None) -> None:
        self._tell = tell
        self._kinds: Counter[str] = Counter()
        self._convertible: set[str] = set()

    def add(self, kind: Kind, name: str) -> None:
        """Count a file; if its kind is not known, by its suffix."""
        called = kind.name
        if kind is OTHER:
            called = os.path.splitext(name)[1].lower() or OTHER.name
        if called not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            called = OTHER.name
        self._kinds[called] += 1
        if kind.reader is Reader.CLIENT:
            self._convertible.add(called)
        if self._tell is not None:
            self._tell(name, kind.name if kind is not OTHER else f"not an image ({called})")

    def since(self, before: LeftOut) -> LeftOut:
        """Return the counts of the files that were left out after an earlier `copy`."""
        later = LeftOut()
        later._kinds = self._kinds - before._kinds
        later._convertible = self._convertible & later._kinds.keys()
        return later

    def copy(self) -> LeftOut:
        """Return a copy of the counts so far."""
        return self.since(LeftOut())

    @property
    def total(self) -> int:
        """Return the number of files that were left out."""
        return self._kinds.total()

    def lines(self) -> Iterator[str]:
        """Return the sentence for the user of the command; none if no file was left out."""
        if self.total:
            yield f"{self.counted()} ({'; '.join([*self.remedy('--convert'), '--all sends every file'])})"

    def counted(self) -> str:
        """Return how many files were left out, in words."""
        return f"{self.total:,} file{'' if self.total == 1 else 's'} left out: {self}"

    def remedy(self, convert: str) -> list[str]:
        """Return what classifies the files that can be converted; nothing where there are none.

        Args:
            convert: The option or argument that converts.
        """
        return [f"{convert} classifies {', '.join(sorted(self._convertible))}"] if self._convertible else []

    def __str__(self) -> str:
        ordered = sorted(self._kinds.items(), key=lambda item: (-item[1], item[0]))
        shown = [f"{count:,} {name}" for name, count in ordered[:_SHOWN_KINDS]]
        rest = sum(count for _, count in ordered[_SHOWN_KINDS:])
        return ", ".join([*shown, f"{rest:,} of other kinds"] if rest else shown)


class Choice:
    """Tell images from other files, by the name or else by the first bytes.

    A name with an image's suffix is enough: the content is checked when the file is sent, and the record shows the
    result.

    Args:
        everything: Take all files.
        convert: Also take the files that the client can convert.
        counted: Called with a file's name before the file is counted as left out, such as `shard.has`.
        tell: Called with the name and the kind of each file that is left out.

    Attributes:
        left_out: The files that were not taken.
    """

    def __init__(
        self,
        *,
        everything: bool = False,
        convert: bool = False,
        counted: Callable[[str], bool] = lambda _: True,
        tell: Callable[[str, str], object] | None = None,
    ) -> None:
        self.left_out = LeftOut(tell)
        self._everything = everything
        self._suffixes = SUFFIXES | CONVERTED_SUFFIXES.keys() if convert else SUFFIXES
        self._readers = {Reader.SERVER, Reader.CLIENT} if convert else {Reader.SERVER}
        self._counted = counted

    def of_whole(self) -> Choice:
        """Return this choice for a source that belongs to one shard: it counts each file that is left out."""
        whole = copy.copy(self)
        whole._counted = lambda _: True
        return whole

    def by_name(self, name: str) -> bool:
        """Tell whether the name alone says that the file is taken."""
        return self._everything or os.path.splitext(name)[1].lower() in self._suffixes

    def by_suffix(self, name: str) -> bool:
        """Tell whether a file that is not read is taken; if not, it is counted under its suffix."""
        suffix = os.path.splitext(name)[1].lower()
        return self.by_name(name) or self.by_kind(name, CONVERTED_SUFFIXES.get(suffix, OTHER))

    def by_head(self, name: str, head: bytes) -> bool:
        """Tell whether a file that begins with these bytes is taken; if not, it is counted."""
        return self.by_kind(name, kind_of(head))

    def by_kind(self, name: str, kind: Kind) -> bool:
        """Tell whether a file of this kind is taken; if not, it is counted."""
        taken = kind.reader in self._readers
        if not taken and self._counted(name):
            self.left_out.add(kind, name)
        return taken

    def takes(self, path: str) -> bool:
        """Tell whether a file of this machine is taken; if not, it is counted.

        A file that cannot be opened is taken: it is among the results, with the reason.
        """
        if self.by_name(path):
            return True
        try:
            # Checked before the file is opened: opening a pipe waits for a program that writes into it.
            if not stat.S_ISREG(os.stat(path).st_mode):
                return self.by_kind(path, SPECIAL)
            with open(path, "rb", buffering=0) as file:
                return self.by_head(path, file.read(HEAD_BYTES))
        except FileNotFoundError:
            return self.by_kind(path, _DANGLING)
        except OSError:
            return True

    def none_in(self, name: str, before: LeftOut) -> str:
        """Return the sentence about a folder or an archive without images.

        Args:
            name: Its name.
            before: A copy of `left_out` from before the search.
        """
        return f"{name} holds no images: {next(self.left_out.since(before).lines(), 'it is empty')}"
