"""A folder of Parquet files, the parts of a data set: each appears whole, and the shards of a run share the folder.

    results/part-00000-of-00002-000000.parquet       shard 0 of 2, its first rows
    results/part-00001-of-00002-000000.parquet       shard 1 of 2
    results/_part-00000-of-00002-000001.jsonl        records of shard 0 that become its next part
    results/_part-00000-of-00002.run.json            the options of shard 0
    results/_SUCCESS                                 all shards are finished

What reads data sets leaves out names that begin with `_` or `.`: pyarrow, Spark, Hive, Dask and others. A part is
written beside its name, and renamed. Its records stay until then, so that a kill at any moment loses no row and
doubles none.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hubserve import Classification

from ..records import Readable
from . import _parquet
from ._file import OutputError, RecordFile
from ._file_output import FileOutput
from ._resume import EarlierRun
from ._run_file import RunFile, beside, finished

ROWS = 2**17
_SUCCESS = "_SUCCESS"
_NAME = re.compile(r"_?part-(\d{5,})-of-(\d{5,})(?:-(\d{6,}))?\.(parquet|jsonl|run\.json)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one shard in a folder: `Folder(Path("results"), 0, 2)`.

    Attributes:
        path: The folder.
        index: The shard's number.
        count: The number of shards.
    """

    path: Path
    index: int
    count: int

    @property
    def stem(self) -> str:
        """The beginning of all names of the shard."""
        return f"part-{self.index:05}-of-{self.count:05}"

    @property
    def base(self) -> Path:
        """The path of the run file, without its ending."""
        return self.path / f"_{self.stem}"

    def part(self, number: int) -> Path:
        """Return the path of a part."""
        return self.path / f"{self.stem}-{number:06}.parquet"

    def records(self, number: int) -> Path:
        """Return the path of the records that become a part."""
        return self.path / f"_{self.stem}-{number:06}.jsonl"

    def numbers(self, suffix: str) -> list[int]:
        """Return the numbers of the shard's parts (`parquet`) or of its files of records (`jsonl`), in order."""
        matches = [match for name in self.names() if (match := _NAME.fullmatch(name))]
        own = (f"{self.index:05}", f"{self.count:05}", suffix)
        return sorted(int(match[3]) for match in matches if match[3] and (match[1], match[2], match[4]) == own)

    def names(self) -> list[str]:
        """Return all names in the folder.

        Raises:
            OutputError: It cannot be read.
        """
        try:
            return sorted(each.name for each in self.path.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutputError(f"{self.path} cannot be read ({error.strerror}): give another --output") from error

    def check(self, run: RunFile) -> None:
        """Refuse a folder that has other files, or results of another run.

        Raises:
            OutputError: The folder has such files or results, or cannot be read.
        """
        for name in self.names():
            match = _NAME.fullmatch(name)
            if match is None:
                if name.startswith((".", "_")):
                    continue
                raise OutputError(
                    f"{self.path} holds {name}, which is not a part of results: give --output a folder of its own"
                )
            if int(match[2]) != self.count:
                raise OutputError(
                    f"{self.path} holds results of {int(match[2])} shards, and this run has {self.count}: give --shard "
                    f"I/{int(match[2])}, or another --output"
                )
            if match[4] == "run.json":
                other = replace(run, shard=f"{int(match[1])}/{self.count}")
                other.check(Folder(self.path, int(match[1]), self.count).base)


class PartsOutput(FileOutput):
    """Write the records of a shard into a folder, a part after so many of them.

    Args:
        folder: The shard's files.
        run: The options of the run.
        form: The records' format.
        earlier: The records that exist.
        number: The number of the next part.
        rows: The most rows in a part.
    """

    def __init__(
        self, folder: Folder, run: RunFile, form: Readable, *, earlier: EarlierRun, number: int, rows: int
    ) -> None:
        super().__init__(folder.base, run, form, earlier=earlier, resumed=True)
        self._folder = folder
        self._number = number
        self._most = rows
        self._rows = earlier.last_rows
        self._failed = earlier.last_failed
        self._records = folder.records(number)

    def opened(self) -> PartsOutput:
        """Make the folder and the files, or open them to add to; return self.

        Raises:
            OutputError: They cannot be written, or another run writes them.
        """
        folder = self._folder
        try:
            folder.path.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder.path} cannot be made ({error.strerror}): give another --output") from error
        super().opened()
        # The parts were looked at before the records were locked.
        if any(number >= self._number for number in folder.numbers("parquet")):
            self.close()
            raise OutputError(
                f"another run wrote to {folder.path} in the meantime: run the command again with --resume"
            )
        with contextlib.suppress(OSError):
            (folder.path / _SUCCESS).unlink(missing_ok=True)
            # What an earlier run has left behind: records that are in a part, and a part that has no name yet.
            for number in folder.numbers("jsonl"):
                if number < self._number:
                    folder.records(number).unlink()
            for left in folder.path.glob(f".{folder.stem}-*.tmp"):
                left.unlink()
        return self

    def add(self, result: Classification, image: bytes | None = None, key: str | None = None) -> None:
        """Write the record, unless the server did not answer the image; after enough of them, write a part.

        Raises:
            OutputError: It cannot be written, or it comes from another version of the model than earlier records.
        """
        before = self.written
        super().add(result, image, key)
        self._rows += self.written - before
        if self._rows >= self._most:
            self._commit()
            self._file = RecordFile(self._records, None)

    @property
    def before(self) -> tuple[int, int]:
        """The number of images that earlier runs recorded, and of those that were not classified."""
        return len(self._earlier.finished), self._earlier.failed

    def results_before(self) -> Iterator[Classification]:
        """Return the results that earlier runs recorded: those of the parts, and then the others.

        Raises:
            OutputError: They can no longer be read.
        """
        for number in self._folder.numbers("parquet"):
            yield from _parquet.results(self._folder.part(number))
        yield from super().results_before()

    def finish(self) -> None:
        """End a run that left no image: write the last part, and `_SUCCESS` if all shards are finished.

        Raises:
            OutputError: A file cannot be written.
        """
        folder = self._folder
        # It was closed at the end of the run; the lock keeps others from adding to it now.
        size = self._records.stat().st_size
        self._file = RecordFile(self._records, size, size)
        if self._rows:
            self._commit()
        else:
            self._records.unlink()
            self._file.close()
        self._run.write(self._path, self._given_up, self._tables, finished=True)
        if all(finished(Folder(folder.path, index, folder.count).base) for index in range(folder.count)):
            try:
                (folder.path / _SUCCESS).touch()
            except OSError as error:
                raise OutputError(f"{folder.path / _SUCCESS} cannot be written ({error.strerror})") from error

    def _commit(self) -> None:
        """Make a part of the records: from its rename on they are in the part, and their file does not count."""
        assert self._file is not None  # noqa: S101 - `opened` comes first
        self._file.flush()
        _parquet.convert(self._records, self._folder.part(self._number), self._failed)
        self._records.unlink()
        self._file.close()
        self._number += 1
        self._rows = self._failed = 0
        self._records = self._folder.records(self._number)


def prepare_parts(
    path: Path, run: RunFile, form: Readable, *, resume: bool, retry_failed: bool = False, rows: int = ROWS
) -> PartsOutput:
    """Look at the existing files, and change nothing unless records are to be removed.

    Args:
        path: The folder.
        run: The options of the run.
        form: The format of records that are not in a part yet.
        resume: Go on with an existing shard.
        retry_failed: Remove the records of images that were not classified, so that the run sends them again.
        rows: The most rows in a part.

    Raises:
        OutputError: The folder must not or cannot be used.
        MissingExtraError: pyarrow is not installed.
    """
    _parquet.pyarrow()
    index, count = map(int, run.shard.split("/"))
    folder = Folder(path, index, count)
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file, and not a folder for parts: give another --output")
    folder.check(run)
    parts, records = folder.numbers("parquet"), folder.numbers("jsonl")
    number = parts[-1] + 1 if parts else 0
    file = folder.records(number)
    begun = bool(parts) or any(folder.records(each).stat().st_size for each in records)
    if not begun and not beside(folder.base).exists():
        # A run that was killed at its very start made the file of records, and nothing else.
        earlier = EarlierRun.read(file, form) if file.exists() else EarlierRun()
        return PartsOutput(folder, run, form, earlier=earlier, number=number, rows=rows)
    if not resume:
        raise OutputError(
            f"{path} already holds results of shard {run.shard}: go on with --resume, or give another --output"
        )
    run.check(folder.base)
    if records and records[-1] > number:
        raise OutputError(f"parts are missing in {path} before {folder.records(records[-1])}: give another --output")
    if retry_failed:
        _forget_failures(folder, parts, file, form)
    earlier = _earlier(folder, folder.numbers("parquet"), file, form)
    earlier.forgotten = retry_failed
    return PartsOutput(folder, run, form, earlier=earlier, number=number, rows=rows)


def _earlier(folder: Folder, parts: list[int], file: Path, form: Readable) -> EarlierRun:
    """Return the records of a shard: those in its parts, and those in the file that a run goes on with."""
    earlier = EarlierRun.read(file, form) if file.exists() else EarlierRun()
    earlier.last_rows, earlier.last_failed = len(earlier.finished), earlier.failed
    for number in parts:
        for record in _parquet.results(folder.part(number), classes=False):
            earlier.note(record)
    return earlier


def _forget_failures(folder: Folder, parts: list[int], file: Path, form: Readable) -> None:
    """Remove the records of images that were not classified, the last ones first.

    So, if this is interrupted, the n-th record of a name is still that of the n-th image of that name.
    """
    earlier = EarlierRun.read(file, form) if file.exists() else EarlierRun()
    # The lock keeps other runs from writing at the same time.
    locked = RecordFile(file, earlier.end, earlier.size)
    try:
        names = earlier.failed_names(file, form)
        for number in parts:
            names |= {record.source for record in _parquet.results(folder.part(number), classes=False) if not record.ok}
        if names:
            earlier.rewritten(file, form, names)
            for number in reversed(parts):
                _parquet.without(folder.part(number), names)
    except OSError as error:
        raise OutputError(f"{folder.path} cannot be written ({error.strerror}): run it again") from error
    finally:
        locked.close()
