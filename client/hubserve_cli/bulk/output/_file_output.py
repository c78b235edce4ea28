"""Records in a file, which must not exist yet, or belong to an earlier run that goes on."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from hubserve import Classification, ImageTooSlow
from hubserve.internals import Outcome, outcome

from ..records import Readable
from . import _parquet
from ._file import OutputError, RecordFile
from ._resume import EarlierRun
from ._run_file import RunFile, beside, given_up, tables

_TABLES_SECONDS = 1.0


class FileOutput:
    """Write the records of images that were classified, or never will be.

    An image that the server did not answer gets no record: a later run sends it again.

    Attributes:
        complete: Whether an earlier run finished the file: nothing can be added to a Parquet file.
        notice: A message for the user before the run, or empty.
        written: The number of records that this run has written.
    """

    def __init__(
        self,
        path: Path,
        run: RunFile,
        form: Readable,
        *,
        earlier: EarlierRun,
        complete: bool = False,
        resumed: bool = False,
        notice: str = "",
    ) -> None:
        self._path = path
        # Where records are added.
        self._records = records_of(path, run)
        # An image without an answer: images of the same name that come later have no record either, so that the n-th
        # record of a name is that of the n-th image.
        self._unanswered: set[str] = set()
        self._earlier = earlier
        self.complete = complete
        self.written = 0
        self.notice = notice
        self._resumed = resumed
        self._run = run
        self._form = form
        self._file: RecordFile | None = None
        self._failed = earlier.failed
        self._given_up: list[str] = []
        self._tables = tables(path)
        self._tables_written = -math.inf
        # Tables are found on another thread.
        self._lock = threading.Lock()

    def opened(self) -> FileOutput:
        """Make the files, or open them to add to; return self.

        Raises:
            OutputError: They cannot be written.
        """
        # The lock comes first, so that the run file of another run is not changed.
        self._file = RecordFile(self._records, self._earlier.end, self._earlier.size)
        try:
            self._given_up = [] if self._earlier.forgotten else given_up(self._path)
            self._write_run_file()
        except BaseException:
            self._file.close()
            raise
        if self._form.header and not self._earlier.end:
            self._file.write(self._form.header)
        return self

    def add(self, result: Classification, image: bytes | None = None, key: str | None = None) -> None:  # noqa: ARG002
        """Write the record, unless the server did not answer the image.

        Raises:
            OutputError: It cannot be written, or it comes from another version of the model than earlier records.
        """
        assert self._file is not None  # noqa: S101 - `opened` comes first
        if outcome(result) is Outcome.UNANSWERED:
            self._unanswered.add(result.source)
            return
        if result.source in self._unanswered:
            return
        self._earlier.check(self._path, result, labels=bool(self.notice))
        self._failed += not result.ok
        self._file.write(self._form.record(result, key))
        self.written += 1
        if isinstance(result.exception, ImageTooSlow):
            self._given_up.append(result.source)
            self._write_run_file()

    def seen(self, table: str, fingerprint: str) -> None:
        """Take note of a table whose rows are called by their numbers.

        Raises:
            OutputError: An earlier run read other rows in it.
        """
        if self._tables.setdefault(table, fingerprint) != fingerprint:
            raise OutputError(
                f"{table} is not the table that this run began with, and its rows are called by their numbers: give "
                "another --output"
            )
        now = time.monotonic()
        # The file has a line for each table: with very many of them, it is not written for each.
        if self._file is not None and now - self._tables_written >= _TABLES_SECONDS:
            self._tables_written = now
            self._write_run_file()

    def _write_run_file(self) -> None:
        with self._lock:
            self._run.write(self._path, self._given_up, self._tables)

    def close(self) -> None:
        """Write the records to the disk.

        Raises:
            OutputError: There is no room for them.
        """
        if self._file is not None:
            self._file.close()

    def has(self, name: str) -> bool:
        """Tell whether an earlier run recorded an image of this name; each record counts once."""
        return self._earlier.finished.take(name)

    @property
    def before(self) -> tuple[int, int]:
        """The number of images that earlier runs recorded, and of those that were not classified."""
        if self.complete:
            return _parquet.counted(self._path)
        return len(self._earlier.finished), self._earlier.failed

    def results_before(self) -> Iterator[Classification]:
        """Return the results that earlier runs recorded, in their order.

        Raises:
            OutputError: They can no longer be read.
        """
        if self.complete:
            return _parquet.results(self._path)
        if not self._earlier.end:
            return iter(())
        return self._earlier.results(self._records, self._form)

    def finish(self) -> None:
        """End a run that left no image: make the Parquet file, if that is the format, and remove other files.

        The run file stays if the run was started with --resume: then a job may go on with the output again.

        Raises:
            OutputError: A file cannot be written.
        """
        if self._records != self._path:
            _parquet.convert(self._records, self._path, self._failed)
            self._records.unlink()
        if not self._resumed:
            beside(self._path).unlink(missing_ok=True)


def prepare(path: Path, run: RunFile, form: Readable, *, resume: bool, retry_failed: bool = False) -> FileOutput:
    """Look at the existing files, and change nothing unless records are to be removed.

    Args:
        path: The output.
        run: The options of the run.
        form: The records' format.
        resume: Go on with an existing file.
        retry_failed: Remove the records of images that were not classified, so that the run sends them again.

    Raises:
        OutputError: There is a file, and it must not or cannot be resumed.
        MissingExtraError: pyarrow is not installed.
    """
    if run.format == "parquet":
        _parquet.pyarrow()
    records = records_of(path, run)
    there = next((file for file in (path, records) if file.exists()), None)
    if there is None:
        return FileOutput(path, run, form, earlier=EarlierRun(), resumed=resume)
    if not resume:
        raise OutputError(f"{there} already exists: go on with --resume, or give another --output")
    # A run that was killed at its very start made the file, and nothing else.
    if there == records and not beside(path).exists() and records.stat().st_size == 0:
        return FileOutput(path, run, form, earlier=EarlierRun.read(records, form), resumed=True)
    notice = ""
    if beside(path).exists():
        run.check(path)
    elif there == path:
        notice = (
            f"{path} is from a finished run, and does not name its model: answers of model {run.model} are added to it"
        )
    else:
        raise run.missing(path)
    if records != path and path.exists():
        if retry_failed:
            raise OutputError(f"{path} is finished, and nothing is added to it: give another --output")
        return FileOutput(path, run, form, earlier=EarlierRun(), complete=True, resumed=True)
    earlier = EarlierRun.read(records, form)
    # A finished run leaves whole records. Anything else may be a file of another program.
    if notice and (not len(earlier.finished) or earlier.end != earlier.size):
        raise run.missing(path)
    if retry_failed and earlier.failed:
        earlier = earlier.without_failures(records, form)
    return FileOutput(path, run, form, earlier=earlier, resumed=True, notice=notice)


def records_of(path: Path, run: RunFile) -> Path:
    """Return the file that records are added to."""
    return path.with_name(f"{path.name}.jsonl") if run.format == "parquet" else path
