"""Data sets of tables in folders and behind URLs, relative paths in them, and tables that are not as they should be."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest
from click.testing import Result

from client.bulk import classify, documents
from hubserve.testing import FakeServer
from hubserve_cli.bulk import sources
from hubserve_cli.bulk.shards import Shard
from hubserve_cli.bulk.sources import Columns
from hubserve_cli.bulk.sources._table_rows import folder_of

COLUMNS = ("--column", "image", "--id-column", "id")


def labels(result: Result) -> dict[str, str | None]:
    found = documents(result.stdout_bytes)
    assert len({each["source"] for each in found}) == len(found)
    return {each["source"]: each["classes"][0]["label"] if each["classes"] else None for each in found}


def errors(result: Result) -> dict[str, str]:
    return {each["source"]: each["error"] for each in documents(result.stdout_bytes) if each["error"]}


def write(path: Path, *ids: object, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pa.parquet.write_table(
        pa.table({"id": ids, "image": pa.array([f"image {n}".encode() for n in ids], pa.binary())}), path, **options
    )
    return path


def data_set(root: Path) -> dict[str, str]:
    """Write a Hive-partitioned data set; return the labels of its rows, by their names below the root."""
    write(root / "date=2024-01-01" / "part-0.parquet", "a", "b")
    write(root / "date=2024-01-01" / "part-1.parquet", "c")
    write(root / "date=2024-01-02" / "part-0.parquet", "d")
    for hidden in ("_SUCCESS", "_metadata", ".part-0.parquet.crc", "_temporary/0/part-9.parquet"):
        (root / hidden).parent.mkdir(exist_ok=True, parents=True)
        (root / hidden).write_bytes(b"")
    (root / "notes.md").write_bytes(b"notes")
    return {
        "date=2024-01-01/part-0.parquet#a": "image a",
        "date=2024-01-01/part-0.parquet#b": "image b",
        "date=2024-01-01/part-1.parquet#c": "image c",
        "date=2024-01-02/part-0.parquet#d": "image d",
    }


@pytest.fixture
def bucket() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/lake", recursive=True)


@pytest.mark.parametrize(
    "source",
    [
        "{root}",
        "{root}/",
        "{root}/*/*.parquet",
        "{root}/date=2024-01-0{{1,2}}",
        "{root}/date=*",
        "{root}/**/part-*.parquet",
        "{root}/date=*/**",
    ],
)
def test_a_folder_a_glob_and_a_pattern_are_data_sets(tmp_path: Path, source: str) -> None:
    expected = data_set(tmp_path / "lake")
    with FakeServer() as server:
        result = classify(server, source.format(root=tmp_path / "lake"), *COLUMNS)

    assert result.exit_code == 0, result.stderr
    assert labels(result) == {f"{tmp_path}/lake/{name}": label for name, label in expected.items()}
    if source.startswith("{root}") and len(source) <= len("{root}/"):
        assert "1 file left out: 1 .md" in result.stderr


@pytest.mark.parametrize(
    "source",
    ["memory://lake", "memory://lake/", "memory://lake/*/*.parquet", "memory://lake/date=*", "memory://lake/date=*/**"],
)
def test_a_data_set_behind_a_url_is_read(tmp_path: Path, bucket: Any, source: str) -> None:
    expected = data_set(tmp_path / "lake")
    bucket.put(str(tmp_path / "lake"), "/lake", recursive=True)
    with FakeServer() as server:
        result = classify(server, source, *COLUMNS)

    assert result.exit_code == 0, result.stderr
    found = {name.removeprefix("memory://").removeprefix("/"): label for name, label in labels(result).items()}
    assert found == {f"lake/{name}": label for name, label in expected.items()}


def test_tables_on_standard_input_are_read(tmp_path: Path, bucket: Any) -> None:
    here = write(tmp_path / "a.parquet", "x")
    bucket.put(str(here), "/lake/b.parquet")
    (tmp_path / "cat.jpg").write_bytes(b"cat")
    listed = (
        f"{here}\nmemory://lake/b.parquet\n{tmp_path}/cat.jpg\nmemory://lake/gone.parquet\n{tmp_path}/gone.parquet\n"
    )
    with FakeServer() as server:
        result = classify(server, "-", *COLUMNS, stdin=listed.encode())
    assert result.exit_code == 3
    assert list(labels(result).values()) == ["image x", "image x", "cat", None, None]
    assert "the table cannot be opened" in errors(result)["memory://lake/gone.parquet"]
    assert "the table cannot be read as a table" in errors(result)[f"{tmp_path}/gone.parquet"]


def test_a_table_that_goes_away_costs_only_its_own_rows(
    tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_set(tmp_path / "lake")
    bucket.put(str(tmp_path / "lake"), "/lake", recursive=True)
    opening = type(bucket).open

    def opened(self: Any, path: str, *arguments: Any, **options: Any) -> Any:
        if path.endswith("part-1.parquet"):
            raise FileNotFoundError(path)
        return opening(self, path, *arguments, **options)

    monkeypatch.setattr(type(bucket), "open", opened)
    with FakeServer() as server:
        result = classify(server, "memory://lake", *COLUMNS)
    assert result.exit_code == 3
    assert sorted(label for label in labels(result).values() if label) == ["image a", "image b", "image d"]
    assert list(errors(result)) == ["memory://lake/date=2024-01-01/part-1.parquet"]


def test_arrow_files_behind_a_url_are_read(tmp_path: Path, bucket: Any) -> None:
    rows = pa.table({"id": [1, 2], "image": [b"one", b"two"]})
    pa.feather.write_feather(rows, str(tmp_path / "a.feather"))
    with pa.ipc.new_stream(tmp_path / "b.arrows", rows.schema) as stream:
        stream.write_table(rows)
    bucket.put(str(tmp_path) + "/", "/lake/", recursive=True)
    with FakeServer() as server:
        result = classify(server, "memory://lake/a.feather", "memory://lake/b.arrows", *COLUMNS)
    assert list(labels(result).values()) == ["one", "two"] * 2


def test_a_folder_of_images_stays_one_with_a_column_for_other_sources(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "cat.jpg").write_bytes(b"cat")
    table = write(tmp_path / "a.parquet", "x")
    with FakeServer() as server:
        result = classify(server, tmp_path / "images", table, *COLUMNS)
        without = classify(server, data_set(tmp_path / "lake") and tmp_path / "lake")
    assert list(labels(result).values()) == ["cat", "image x"]
    assert without.exit_code == 2
    assert "holds no images" in without.stderr
    assert "--column reads its tables" in without.stderr


@pytest.mark.parametrize(
    ("table", "folder"),
    [
        ("a.parquet", ""),
        ("lake/a.parquet", "lake/"),
        ("/lake/date=1/hour=2/a.parquet", "/lake/"),
        ("date=1/a.parquet", ""),
        ("s3://bucket/lake/date=1/a.parquet", "s3://bucket/lake/"),
        ("zip://date=1/a.parquet::s3://bucket/a.zip", "zip://::s3://bucket/a.zip"),
    ],
)
def test_relative_paths_are_relative_to_the_folder_of_the_data_set(table: str, folder: str) -> None:
    assert folder_of(table) == folder


def test_paths_and_urls_in_rows_are_read(tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "lake"
    for file in ("images/ä.jpg", "absolute.jpg"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(file.encode())
    bucket.pipe("/lake/images/ä.jpg", b"remote")
    paths = ["images/ä.jpg", str(root / "absolute.jpg"), "memory://lake/images/ä.jpg", "", None, "none.jpg"]
    rows = pa.table({"id": range(6), "image": paths})
    (root / "date=1").mkdir()
    pa.parquet.write_table(rows, root / "date=1" / "a.parquet")
    bucket.put(str(root / "date=1" / "a.parquet"), "/lake/date=1/a.parquet")
    # The folder where the command runs does not matter.
    monkeypatch.chdir(tmp_path)
    with FakeServer() as server:
        here = classify(server, "lake/date=1/a.parquet", *COLUMNS)
        there = classify(server, "memory://lake/date=1/a.parquet", *COLUMNS)

    assert list(labels(here).values()) == ["images/ä.jpg", "absolute.jpg", "remote", None, None, None]
    assert list(labels(there).values()) == ["remote", "absolute.jpg", "remote", None, None, None]
    assert "lake/none.jpg: No such file or directory" in errors(here)["lake/date=1/a.parquet#5"]
    assert "the cell holds an empty text" in errors(here)["lake/date=1/a.parquet#3"]


def _dictionary(values: list[Any]) -> pa.Array:
    return pa.array(values).dictionary_encode()


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"a", b"b"], pa.large_binary()),
        pa.array([b"a", b"b"], pa.binary(1)),
        pa.array([b"a", b"b"], pa.binary_view()),
        _dictionary([b"a", b"b"]),
        pa.array([{"bytes": b"a", "path": None}, {"bytes": b"b", "path": "b.jpg"}]),
        pa.array([{"bytes": b"a"}, {"bytes": b"b"}]),
    ],
    ids=lambda column: str(column.type),
)
@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_each_type_of_bytes_is_read(tmp_path: Path, column: pa.Array, suffix: str) -> None:
    rows = pa.table({"id": ["x", "y"], "image": column})
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        pa.parquet.write_table(rows, path)
    else:
        with pa.ipc.new_file(path, rows.schema) as file:
            file.write_table(rows)
    with FakeServer() as server:
        result = classify(server, path, *COLUMNS)
    assert labels(result) == {f"{path}#x": "a", f"{path}#y": "b"}, result.stderr


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[b"a"], [b"b"]]),
        pa.array([1.5, 2.5]),
        pa.array([{"image": b"a"}, {"image": b"b"}]),
        pa.array([{"bytes": {"inner": b"a"}}, {"bytes": {"inner": b"b"}}]),
        pa.array([True, False]),
    ],
    ids=lambda column: str(column.type),
)
def test_a_column_that_cannot_hold_images_is_refused(tmp_path: Path, column: pa.Array) -> None:
    pa.parquet.write_table(pa.table({"image": column}), tmp_path / "a.parquet")
    with FakeServer() as server:
        result = classify(server, tmp_path / "a.parquet", "--column", "image")
    assert (result.exit_code, server.requests) == (2, [])
    assert f"the column 'image' is of type {str(column.type).partition('<')[0]}" in result.stderr
    assert ": images are bytes, paths or URLs" in result.stderr


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (pa.array([7, None, 7]), ["7", "row 1", "7"]),
        (pa.array(["a", None, "ü/ #"]), ["a", "row 1", "ü/ #"]),
        (_dictionary(["a", "b", "a"]), ["a", "b", "a"]),
        (pa.array([b"a", b"\xff", b"c"]), ["a", "\udcff", "c"]),
    ],
    ids=lambda given: str(given)[:20],
)
def test_ids_that_are_null_or_not_unique_lose_no_row(tmp_path: Path, ids: pa.Array, names: list[str]) -> None:
    path, out = tmp_path / "a.parquet", tmp_path / "out.jsonl"
    pa.parquet.write_table(pa.table({"id": ids, "image": [b"0", b"1", b"2"]}), path)
    with FakeServer() as server:
        for _ in range(2):
            assert classify(server, path, *COLUMNS, "--output", out, "--resume").exit_code == 0
    found = documents(out)
    assert [each["source"] for each in found] == [f"{path}#{name}" for name in names]
    assert [each.get("id") for each in found] == [None if name == "row 1" else name for name in names]
    assert [each["classes"][0]["label"] for each in found] == ["0", "1", "2"]


@pytest.mark.parametrize("kind", [pa.float64(), pa.list_(pa.string())])
def test_a_column_that_cannot_name_images_is_refused(tmp_path: Path, kind: pa.DataType) -> None:
    rows = pa.table({"id": pa.array([None], kind), "image": [b"a"]})
    pa.parquet.write_table(rows, tmp_path / "a.parquet")
    with FakeServer() as server:
        result = classify(server, tmp_path / "a.parquet", *COLUMNS)
    assert result.exit_code == 2
    assert "cannot name images: give --id-column a column of text or whole numbers" in result.stderr


def test_columns_with_one_name_are_refused_and_dots_in_names_are_taken(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array([b"a"]), pa.array([b"b"])], names=["image", "image"])
    pa.parquet.write_table(twice, tmp_path / "a.parquet")
    dotted = pa.table({"a.b": [b"dotted"], "a": [b"plain"], "id": ["x"]})
    pa.parquet.write_table(dotted, tmp_path / "b.parquet")
    with FakeServer() as server:
        result = classify(server, tmp_path / "a.parquet", "--column", "image")
        assert "a.parquet has 2 columns image: rename all but one of them" in result.stderr
        for column, label in (("a.b", "dotted"), ("a", "plain")):
            found = classify(server, tmp_path / "b.parquet", "--column", column, "--id-column", "id")
            assert list(labels(found).values()) == [label], found.stderr


def test_tables_without_rows_and_with_empty_row_groups_are_read(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    write(root / "a.parquet", "x")
    empty = pa.table({"id": pa.array([], pa.string()), "image": pa.array([], pa.binary())})
    pa.parquet.write_table(empty, root / "b.parquet")
    with pa.parquet.ParquetWriter(root / "c.parquet", empty.schema):
        pass
    assert pa.parquet.read_metadata(root / "c.parquet").num_row_groups == 0
    with FakeServer() as server:
        result = classify(server, root, *COLUMNS)
        none = classify(server, root / "c.parquet", *COLUMNS)
    assert list(labels(result).values()) == ["image x"]
    assert none.exit_code == 0
    assert "0 of 0 images classified" in none.stderr


def test_a_table_that_cannot_be_opened_costs_only_its_own_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The order of the file system could begin with a table that is refused.
    in_any_order = glob.iglob
    monkeypatch.setattr(glob, "iglob", lambda *given, **options: iter(sorted(in_any_order(*given, **options))))
    root = tmp_path / "lake"
    write(root / "a.parquet", "a")
    cut = write(root / "b.parquet", "b")
    cut.write_bytes(cut.read_bytes()[:-10])
    (root / "c.parquet").write_bytes(b"")
    pa.parquet.write_table(pa.table({"other": [1]}), root / "d.parquet")
    write(root / "e.parquet", "e")
    with FakeServer() as server:
        result = classify(server, root, *COLUMNS)
        by_glob = classify(server, f"{root}/*.parquet", *COLUMNS)
        alone = classify(server, root / "b.parquet", *COLUMNS)
    assert (result.exit_code, by_glob.exit_code) == (3, 3)
    assert labels(by_glob) == labels(result)
    assert [label for label in labels(result).values() if label] == ["image a", "image e"]
    found = errors(result)
    assert "the table cannot be read as a table" in found[f"{root}/b.parquet"]
    assert "the table cannot be read as a table" in found[f"{root}/c.parquet"]
    assert "the table does not have the column image: it has other" in found[f"{root}/d.parquet"]
    assert alone.exit_code == 2
    assert "b.parquet cannot be read as a table" in alone.stderr


@pytest.mark.parametrize("with_ids", [True, False])
def test_a_row_group_that_cannot_be_read_costs_only_its_own_rows(tmp_path: Path, with_ids: bool) -> None:
    path = write(tmp_path / "a.parquet", *range(30), row_group_size=10, compression="snappy", use_dictionary=False)
    chunk = pa.parquet.read_metadata(path).row_group(1).column(1)
    data = bytearray(path.read_bytes())
    for place in range(chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size):
        data[place] = 0xFF
    path.write_bytes(data)
    with FakeServer() as server:
        result = classify(server, path, *(COLUMNS if with_ids else COLUMNS[:2]))
    assert result.exit_code == 3
    assert labels(result) == {f"{path}#{n}": None if 10 <= n < 20 else f"image {n}" for n in range(30)}
    assert all("its row group cannot be read" in error for error in errors(result).values())


def test_a_bucket_that_fails_ends_the_run_and_the_next_one_goes_on(
    tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.parquet", *range(30), row_group_size=10, use_dictionary=False)
    bucket.put(str(tmp_path / "a.parquet"), "/lake/a.parquet")
    out = tmp_path / "out.jsonl"
    options = ("memory://lake/a.parquet", *COLUMNS, "--output", out, "--resume", "--batch-size", "1")
    kind = type(bucket.open("/lake/a.parquet"))
    chunk = pa.parquet.read_metadata(tmp_path / "a.parquet").row_group(1).column(1)
    down = [True]

    def read(self: Any, size: int = -1) -> bytes:
        if down and chunk.data_page_offset <= self.tell() < chunk.data_page_offset + chunk.total_compressed_size:
            down.clear()
            raise ConnectionError("the network is down")
        return super(kind, self).read(size)  # type: ignore[misc]

    monkeypatch.setattr(kind, "read", read, raising=False)
    with FakeServer() as server:
        stopped = classify(server, *options)
        assert stopped.exit_code == 1
        assert "memory://lake/a.parquet cannot be read any further (the network is down): go on with" in stopped.stderr
        assert len(documents(out)) < 30
        result = classify(server, *options)
    assert result.exit_code == 0, result.stderr
    assert sorted(int(each["id"]) for each in documents(out)) == list(range(30))
    assert not [each for each in documents(out) if each["error"]]


@pytest.mark.parametrize("told", ["when it is opened", "when it is read"])
def test_a_server_that_gives_whole_files_only_is_named(
    tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    bucket.put(str(write(tmp_path / "a.parquet", "x")), "/lake/a.parquet")
    kind = type(bucket.open("/lake/a.parquet"))

    def read(self: Any, size: int = -1) -> bytes:
        raise ValueError("The HTTP server doesn't appear to support range requests.")

    if told == "when it is opened":
        monkeypatch.setattr(kind, "seekable", lambda self: False, raising=False)
    else:
        monkeypatch.setattr(kind, "read", read, raising=False)
    with FakeServer() as server:
        result = classify(server, "memory://lake/a.parquet", *COLUMNS)
    assert (result.exit_code, server.requests) == (2, [])
    assert "a.parquet is on a server that gives no parts of files, which tables need: copy it to" in result.stderr


def test_a_table_that_was_replaced_does_not_go_on_by_numbers(tmp_path: Path) -> None:
    path, out = write(tmp_path / "a.parquet", *range(30)), tmp_path / "out.jsonl"
    options = (path, "--column", "image", "--output", out, "--resume")
    with FakeServer() as server:
        assert classify(server, *options).exit_code == 0
        assert classify(server, *options).exit_code == 0
        write(path, *range(5, 35))
        os.utime(path, (0, 0))
        result = classify(server, *options)
        by_name = classify(server, path, *COLUMNS, "--output", tmp_path / "b.jsonl", "--resume")
        write(path, *range(10, 40))
        again = classify(server, path, *COLUMNS, "--output", tmp_path / "b.jsonl", "--resume")
    assert result.exit_code == 1
    assert "a.parquet is not the table that this run began with" in result.stderr
    assert len(documents(out)) == 30
    assert (by_name.exit_code, again.exit_code) == (0, 0)
    assert sorted(int(each["id"]) for each in documents(tmp_path / "b.jsonl")) == list(range(5, 40))


def test_a_name_with_unusual_characters_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "ü ß#1 {x}.parquet", "a", "ö\n#")
    with FakeServer() as server:
        result = classify(server, path, *COLUMNS)
    assert labels(result) == {f"{path}#a": "image a", f"{path}#ö\n#": "image ö\n#"}


def test_shards_of_a_data_set_have_each_row_once(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    for number in range(5):
        write(root / f"{number}.parquet", *range(number * 100, number * 100 + 20 * number), row_group_size=7)
    found = [
        sources.name_of(image)
        for index in range(4)
        for image in sources.find([str(root)], shard=Shard(index, 4), columns=Columns("image", "id"))
    ]
    assert sorted(found) == sorted(
        f"{root}/{number}.parquet#{n}" for number in range(5) for n in range(number * 100, number * 100 + 20 * number)
    )
