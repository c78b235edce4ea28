"""Reads what an earlier run has written, to its last whole record."""

from __future__ import annotations

import os
from pathlib import Path

from hubserve import Classification

from ...common.files import replaced
from ..records import Readable
from ._file import OutputError, RecordFile
from ._finished import Finished


class EarlierRun:
    """What is in the output already.

    Attributes:
        finished: The images that have their record.
        failed: How many of them were not classified.
        end: Where the last whole record ends; None: there is no file yet.
        size: The file's size in bytes when it was read, with a torn last record.
        forgotten: Whether records of images that were not classified have been taken out.
    """

    def __init__(self) -> None:
        self.finished = Finished()
        self.failed = 0
        self.end: int | None = None
        self.size = 0
        self.forgotten = False
        self._versions: set[int] = set()

    @classmethod
    def read(cls, path: Path, form: Readable) -> EarlierRun:
        """Read a file; nothing is changed in it.

        Raises:
            OutputError: It holds something else than records, or cannot be read.
        """
        run = cls()
        run.end = 0
        try:
            with path.open("rb") as file:
                run.size = os.fstat(file.fileno()).st_size
                for number, piece in enumerate(form.pieces(file), 1):
                    # Only the last can be torn: it is written over.
                    if not form.whole(piece):
                        break
                    if form.header and number == 1:
                        if piece != form.header:
                            raise ValueError("its columns are others")
                    else:
                        run._note(form, piece)
                    run.end += len(piece)
        except ValueError as error:
            raise OutputError(
                f"{path} is damaged: record {number} is none ({error}). It is left as it is: mend or delete that "
                "record, or give another --output"
            ) from error
        except OSError as error:
            raise OutputError(f"{path} cannot be read ({error.strerror}): give another --output") from error
        return run

    def without_failures(self, path: Path, form: Readable) -> EarlierRun:
        """Take the records of images that were not classified out of the file: it is there as it was, or without them.

        Raises:
            OutputError: It cannot be written, or another run writes it.
        """
        # Nobody else writes it meanwhile.
        locked = RecordFile(path, self.end, self.size)
        try:
            with path.open("rb") as file, replaced(path) as kept:
                for number, piece in enumerate(form.pieces(file), 1):
                    if (form.header and number == 1) or form.read(piece).ok:
                        kept.write(piece)
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}): it is left as it was") from error
        finally:
            locked.close()
        run = EarlierRun.read(path, form)
        run.forgotten = True
        return run

    def check(self, path: Path, result: Classification) -> None:
        """Refuse answers of another version of the model than those that are there.

        Raises:
            OutputError: This one is.
        """
        if self._versions and result.ok and result.model_version not in self._versions:
            known = ", ".join(map(str, sorted(self._versions)))
            raise OutputError(
                f"{path} holds answers of version {known} of the model, and the server answers with version "
                f"{result.model_version}: have it serve the same one, or give another --output"
            )

    def _note(self, form: Readable, piece: bytes) -> None:
        record = form.read(piece)
        self.finished.add(record.source)
        self.failed += not record.ok
        if record.ok and record.model_version is not None:
            self._versions.add(record.model_version)
