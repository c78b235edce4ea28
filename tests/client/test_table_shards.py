"""Shards of tables: each row is in one of them, and a shard reads its own row groups only."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

from hubserve_cli.bulk import sources
from hubserve_cli.bulk.shards import Shard
from hubserve_cli.bulk.sources import Columns, _table_files
from hubserve_cli.bulk.sources._pieces import Group, pieces
from hubserve_cli.bulk.sources._table_files import Watched

COLUMNS = Columns("image", "id")


def table(count: int, size: int = 10) -> pa.Table:
    images = [b"%d" % n + bytes(size) for n in range(count)]
    return pa.table({"id": range(count), "image": images, "other": [b"%d" % -n + bytes(size) for n in range(count)]})


def names(source: str, shard: Shard, columns: Columns = COLUMNS) -> list[str]:
    return [sources.name_of(image) for image in sources.find([source], shard=shard, columns=columns)]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 40])
@pytest.mark.parametrize("suffix", ["parquet", "arrow", "arrows"])
def test_each_row_is_in_one_shard(tmp_path: Path, suffix: str, count: int) -> None:
    path = tmp_path / f"a.{suffix}"
    rows = table(100)
    if suffix == "parquet":
        pa.parquet.write_table(rows, path, row_group_size=15)
    elif suffix == "arrow":
        with pa.ipc.new_file(path, rows.schema) as file:
            file.write_table(rows, max_chunksize=15)
    else:
        with pa.ipc.new_stream(path, rows.schema) as stream:
            stream.write_table(rows, max_chunksize=15)
    shards = [names(str(path), Shard(index, count)) for index in range(count)]

    assert sorted(name for shard in shards for name in shard) == sorted(f"{path}#{n}" for n in range(100))
    for shard in shards:
        assert shard == sorted(shard, key=lambda name: int(name.rpartition("#")[2]))
    # Seven row groups; small ones are cut, where the file says how many there are.
    if suffix != "arrows":
        assert min(map(len, shards)) > 0
        assert max(map(len, shards)) <= max(2, 2 * 100 // count)


@pytest.mark.parametrize(
    ("groups", "count", "rows"),
    [
        # One large row group is cut, and so is what is left of nine.
        ([Group(100_000, 2**30)], 4, 25_000),
        ([Group(10_000, 2**30)] * 9, 4, 22_500),
        ([Group(10_000, 2**30)] * 8, 4, 20_000),
        # The pieces of a large one are not made smaller than 1,024 rows.
        ([Group(1500, 2**30)], 4, 1500),
        ([Group(0, 0), Group(40, 100), Group(0, 0)], 4, 10),
    ],
)
def test_work_is_spread_evenly(groups: list[Group], count: int, rows: int) -> None:
    found = [list(pieces("a.parquet", groups, Shard(index, count))) for index in range(count)]

    assert max(sum(piece.stop - piece.start for piece in each) for each in found) == rows
    assert sum(piece.stop - piece.start for each in found for piece in each) == sum(group.rows for group in groups)


def test_many_small_tables_are_spread_over_the_shards() -> None:
    found = [
        sum(len(list(pieces(f"data/part-{n}.parquet", [Group(1000, 2**27)], Shard(index, 8)))) for n in range(400))
        for index in range(8)
    ]

    assert sum(found) == 400
    assert min(found) > 25


class Reads:
    """The bytes of a file in a bucket that were read."""

    def __init__(self, size: int) -> None:
        self._seen = bytearray(size)

    def note(self, place: int, size: int) -> None:
        self._seen[place : place + size] = b"\1" * size

    def clear(self) -> None:
        self._seen[:] = bytes(len(self._seen))

    def count(self, start: int = 0, stop: int | None = None) -> int:
        return self._seen.count(1, start, stop)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reads]:
    found = Reads(2**24)
    plain = Watched.read

    def counted(self: Watched, size: int = -1) -> bytes:
        place = self.tell()
        data = plain(self, size)
        found.note(place, len(data))
        return data

    monkeypatch.setattr(Watched, "read", counted)
    monkeypatch.setattr(_table_files, "_REMOTE_BUFFER_BYTES", 2**16)
    yield found
    fsspec.filesystem("memory").rm("/lake", recursive=True)


def test_a_shard_reads_no_row_group_of_another_one_and_no_other_column(reads: Reads, tmp_path: Path) -> None:
    pa.parquet.write_table(table(80, 10_000), tmp_path / "a.parquet", row_group_size=10, compression="none")
    data = (tmp_path / "a.parquet").read_bytes()
    fsspec.filesystem("memory").pipe("/lake/a.parquet", data)
    about = pa.parquet.read_metadata(tmp_path / "a.parquet")
    chunks = [about.row_group(group).column(1) for group in range(8)]
    starts = [chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks]
    # The end of the file is read for its footer.
    places = [
        (start, min(start + chunk.total_compressed_size, len(data) - 2**16))
        for start, chunk in zip(starts, chunks, strict=True)
    ]
    for index in range(4):
        reads.clear()
        found = names("memory://lake/a.parquet", Shard(index, 4))
        whole = [group for group in range(8) if reads.count(*places[group]) == places[group][1] - places[group][0]]
        touched = [group for group in range(8) if reads.count(*places[group])]
        assert len(found) == 20
        assert whole == touched
        rows = [n for group in whole for n in range(group * 10, group * 10 + 10)]
        assert found == [f"memory://lake/a.parquet#{n}" for n in rows]
        # The column `other` is as large as the images.
        assert reads.count() < len(data) / 8 + 2**16 + 10_000


def test_a_piece_of_a_row_group_is_read_up_to_its_end(reads: Reads, tmp_path: Path) -> None:
    pa.parquet.write_table(
        table(4096, 1000), tmp_path / "a.parquet", compression="none", data_page_size=10_000, use_dictionary=False
    )
    size = (tmp_path / "a.parquet").stat().st_size / 2
    fsspec.filesystem("memory").pipe("/lake/a.parquet", (tmp_path / "a.parquet").read_bytes())
    read = []
    for index in range(4):
        reads.clear()
        assert len(names("memory://lake/a.parquet", Shard(index, 4))) == 1024
        read.append(reads.count() / size)

    assert [round(4 * share) for share in sorted(read)] == [1, 2, 3, 4]
