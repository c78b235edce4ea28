"""Records in a file, which must not be there yet, or be an earlier run's that goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hubserve import Classification, ImageTooSlow

from ..outcomes import Outcome, outcome
from ..records import Readable
from . import _parquet
from ._file import OutputError, RecordFile
from ._resume import EarlierRun
from ._run_file import RunFile, beside, given_up


class FileOutput:
    """Writes the records of images that were classified, or never will be.

    One that the server did not answer gets none: a later run asks for it again.

    Attributes:
        complete: Whether an earlier run has finished it: a Parquet file is not added to.
        notice: What to tell a person before the run; empty when there is nothing.
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
        self._earlier = earlier
        self.complete = complete
        self.notice = notice
        self._resumed = resumed
        self._run = run
        self._form = form
        self._file: RecordFile | None = None
        self._failed = earlier.failed
        self._given_up: list[str] = []

    def opened(self) -> FileOutput:
        """Make the files, or open them to add to; give itself.

        Raises:
            OutputError: They cannot be written.
        """
        # The lock comes first: what is beside the records of another run is not touched.
        self._file = RecordFile(_records(self._path, self._run), self._earlier.end, self._earlier.size)
        try:
            self._given_up = [] if self._earlier.forgotten else given_up(self._path)
            self._run.write(self._path, self._given_up)
        except BaseException:
            self._file.close()
            raise
        if self._form.header and not self._earlier.end:
            self._file.write(self._form.header)
        return self

    def add(self, result: Classification, image: bytes | None = None) -> None:  # noqa: ARG002
        """Write the record, if the image is not to be asked for again.

        Raises:
            OutputError: It cannot be written; or it comes from another version of the model than those before.
        """
        assert self._file is not None  # noqa: S101 - `opened` comes first
        if outcome(result) is Outcome.UNANSWERED:
            return
        self._earlier.check(self._path, result, labels=bool(self.notice))
        self._failed += not result.ok
        self._file.write(self._form.record(result))
        if isinstance(result.exception, ImageTooSlow):
            self._given_up.append(result.source)
            self._run.write(self._path, self._given_up)

    def close(self) -> None:
        """Have the records on the disk.

        Raises:
            OutputError: There is no room for them.
        """
        if self._file is not None:
            self._file.close()

    def has(self, name: str) -> bool:
        """Tell whether an image of this name has its record from before; told once for each record."""
        return self._earlier.finished.take(name)

    @property
    def before(self) -> tuple[int, int]:
        """Images that have their record from before, and how many of them were not classified."""
        if self.complete:
            return _parquet.counted(self._path)
        return len(self._earlier.finished), self._earlier.failed

    def results_before(self) -> Iterator[Classification]:
        """Return the results that have their record from before, in their order.

        Raises:
            OutputError: They cannot be read again.
        """
        if self.complete:
            return _parquet.results(self._path)
        if not self._earlier.end:
            return iter(())
        return self._earlier.results(_records(self._path, self._run), self._form)

    def finish(self) -> None:
        """End a run that left nothing to do: make the Parquet file, when that was the format, and tidy up.

        The run file goes, unless the run was begun with --resume: then a job may go on with the file again.

        Raises:
            OutputError: It cannot be written.
        """
        records = _records(self._path, self._run)
        if records != self._path:
            _parquet.convert(records, self._path, self._failed)
            records.unlink()
        if not self._resumed:
            beside(self._path).unlink(missing_ok=True)


def prepare(path: Path, run: RunFile, form: Readable, *, resume: bool, retry_failed: bool = False) -> FileOutput:
    """Look at what is there, and change nothing unless records are to be taken out.

    Args:
        path: The output.
        run: What the run asks.
        form: The records' format.
        resume: Go on with what is there.
        retry_failed: Take out the records of images that were not classified, so that the run asks for them again.

    Raises:
        OutputError: Something is there, and it is not to be resumed, or cannot be.
        MissingExtraError: pyarrow is not installed.
    """
    if run.format == "parquet":
        _parquet.pyarrow()
    records = _records(path, run)
    there = next((file for file in (path, records) if file.exists()), None)
    if there is None:
        return FileOutput(path, run, form, earlier=EarlierRun(), resumed=resume)
    if not resume:
        raise OutputError(f"{there} is there already: go on with --resume, or give another --output")
    # A run that was killed at its very start has made the file, and nothing else yet.
    if there == records and not beside(path).exists() and records.stat().st_size == 0:
        return FileOutput(path, run, form, earlier=EarlierRun.read(records, form), resumed=True)
    notice = ""
    if beside(path).exists():
        run.check(path)
    elif there == path:
        notice = (
            f"{path} is of a finished run, and does not name its model: answers of model {run.model} are added to it"
        )
    else:
        raise run.missing(path)
    if records != path and path.exists():
        if retry_failed:
            raise OutputError(f"{path} is finished, and nothing is added to it: give another --output")
        return FileOutput(path, run, form, earlier=EarlierRun(), complete=True, resumed=True)
    earlier = EarlierRun.read(records, form)
    # What a finished run leaves is whole. Anything else may be a file of another program.
    if notice and (not len(earlier.finished) or earlier.end != earlier.size):
        raise run.missing(path)
    if retry_failed and earlier.failed:
        earlier = earlier.without_failures(records, form)
    return FileOutput(path, run, form, earlier=earlier, resumed=True, notice=notice)


def _records(path: Path, run: RunFile) -> Path:
    """Return the file that records are added to."""
    return path.with_name(f"{path.name}.jsonl") if run.format == "parquet" else path
