"""Read the records of an earlier run, up to its last whole record."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Container, Iterator
from pathlib import Path

from hubserve import Classification

from ...common.files import replaced
from ..records import Readable
from ._file import OutputError, RecordFile

# Classes whose labels are compared with those of the answers.
_MOST_LABELS = 20_000


class EarlierRun:
    """The records that the output already holds.

    Attributes:
        finished: The images that have their record.
        failed: The number of images that were not classified.
        end: The end of the last whole record; None: there is no file yet.
        size: The file's size in bytes when it was read, including a torn last record.
        last_rows: Of a folder of parts, the number of records that are not in a part.
        last_failed: The number of those that were not classified.
        forgotten: Whether records of images that were not classified have been removed.
    """

    def __init__(self) -> None:
        self.finished = Finished()
        self.failed = 0
        self.end: int | None = None
        self.size = 0
        self.last_rows = self.last_failed = 0
        self.forgotten = False
        self._versions: set[int] = set()
        # None: the records disagree.
        self._labels: dict[int, str | None] = {}

    @classmethod
    def read(cls, path: Path, form: Readable) -> EarlierRun:
        """Read a file, without changing it.

        Raises:
            OutputError: It holds something other than records, or cannot be read.
        """
        run = cls()
        run.end = 0
        try:
            with path.open("rb") as file:
                run.size = os.fstat(file.fileno()).st_size
                for number, piece in enumerate(form.pieces(file), 1):
                    # Only the last record can be torn: it is overwritten.
                    if not form.whole(piece):
                        break
                    if form.header and number == 1:
                        if piece != form.header:
                            raise ValueError("its columns are different")
                    else:
                        run.note(form.read(piece))
                    run.end += len(piece)
        except ValueError as error:
            raise OutputError(
                f"{path} is damaged: record {number} cannot be read ({error}). The file is not changed: correct or "
                "delete that record, or give another --output"
            ) from error
        except OSError as error:
            raise OutputError(f"{path} cannot be read ({error.strerror}): give another --output") from error
        return run

    def without_failures(self, path: Path, form: Readable) -> EarlierRun:
        """Remove the records of images that were not classified: the file is replaced whole, or stays as it was.

        Raises:
            OutputError: It cannot be written, or another run writes it.
        """
        # The lock keeps other runs from writing it at the same time.
        locked = RecordFile(path, self.end, self.size)
        try:
            names = self.failed_names(path, form)
            self.rewritten(path, form, names)
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}): the file is not changed") from error
        finally:
            locked.close()
        run = EarlierRun.read(path, form)
        run.forgotten = True
        return run

    def failed_names(self, path: Path, form: Readable) -> set[str]:
        """Return the names of the images that were not classified."""
        return {result.source for result in self.results(path, form) if not result.ok}

    def rewritten(self, path: Path, form: Readable, names: Container[str]) -> None:
        """Replace the file by one without the records of these names.

        If several images have one name, all their records go: the n-th record of a name must be that of the n-th image.

        Raises:
            OSError: It cannot be written.
        """
        with path.open("rb") as file, replaced(path) as kept:
            for number, piece in enumerate(form.pieces(file), 1):
                if (form.header and number == 1) or form.read(piece).source not in names:
                    kept.write(piece)

    def check(self, path: Path, result: Classification, *, labels: bool) -> None:
        """Refuse an answer of another version of the model than the earlier ones, or of another model.

        Args:
            path: The output.
            result: The answer.
            labels: Compare the labels of the classes too, because no run file names the model.

        Raises:
            OutputError: The answer is from another version or model.
        """
        for found in result.classes if labels else ():
            label = self._labels.get(found.class_id)
            if label not in (None, found.label):
                raise OutputError(
                    f"{path} holds answers of another model: its class {found.class_id} is {label!r}, and that of this "
                    f"server is {found.label!r}; give another --output"
                )
        if self._versions and result.ok and result.model_version not in self._versions:
            known = ", ".join(map(str, sorted(self._versions)))
            raise OutputError(
                f"{path} holds answers of version {known} of the model, and the server answers with version "
                f"{result.model_version}: have it serve the same one, or give another --output"
            )

    def results(self, path: Path, form: Readable) -> Iterator[Classification]:
        """Return the results of the earlier records, in their order.

        Raises:
            OutputError: The file can no longer be read.
        """
        left = self.end or 0
        try:
            with path.open("rb") as file:
                for number, piece in enumerate(form.pieces(file), 1):
                    left -= len(piece)
                    if left < 0:
                        return
                    if not (form.header and number == 1):
                        yield form.read(piece)
        except (OSError, ValueError) as error:
            raise OutputError(f"{path} cannot be read again ({error}): give another --output") from error

    def note(self, record: Classification) -> None:
        """Take one record."""
        self.finished.add(record.source)
        self.failed += not record.ok
        if record.ok and record.model_version is not None:
            self._versions.add(record.model_version)
        for found in record.classes:
            if found.class_id not in self._labels and len(self._labels) < _MOST_LABELS:
                self._labels[found.class_id] = found.label
            elif self._labels.get(found.class_id, found.label) != found.label:
                self._labels[found.class_id] = None


class Finished:
    """A multiset of names: `finished.add(name)` for each, then `finished.take(name)`.

    A name that was given twice has two records, and is left out twice. It takes about 40 bytes for each name: 128 bits
    of its BLAKE2b, with which two of a billion names are confused with a probability below 1 in 10^20.
    """

    def __init__(self) -> None:
        self._digests = array("Q")
        self._sorted = False

    def __len__(self) -> int:
        return len(self._digests) // 2

    def add(self, name: str) -> None:
        """Add a name, before the first `take`."""
        self._digests.frombytes(_digest(name))

    def take(self, name: str) -> bool:
        """Tell whether the name is there, and remove one of it."""
        if not self._digests:
            return False
        # Imported here, because only --resume needs numpy.
        import numpy as np

        if not self._sorted:
            high, low = np.frombuffer(self._digests, np.uint64).reshape(-1, 2).T
            order = np.lexsort((low, high))
            self._high, self._low = high[order], low[order]
            self._taken = np.zeros(len(order), np.bool_)
            self._sorted = True
        high, low = np.frombuffer(_digest(name), np.uint64)
        at = int(np.searchsorted(self._high, high))
        while at < len(self._high) and self._high[at] == high:
            if self._low[at] == low and not self._taken[at]:
                self._taken[at] = True
                return True
            at += 1
        return False


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()
