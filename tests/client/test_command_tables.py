"""`hubserve classify` on the rows of Parquet and Arrow files."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest

from hubserve.testing import FakeServer


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(lambda data: 1 if data == b"corrupt" else {data.decode(): 0.9}) as server:
        yield server


def classify(server: FakeServer, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hubserve", "classify", "--server", server.target, "--model", "m"]
    return subprocess.run([*command, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)


def labels(text: str) -> dict[str, str | None]:
    records = [json.loads(line) for line in text.splitlines()]
    found = {each["source"]: each["classes"][0]["label"] if each["classes"] else None for each in records}
    assert len(found) == len(records)
    return found


def table(count: int = 10) -> pa.Table:
    images = [None if n == 3 else b"corrupt" if n == 5 else b"image %d" % n for n in range(count)]
    return pa.table({"id": [f"ü {n}" for n in range(count)], "bild": pa.array(images), "n": range(count)})


def expected(name: str, count: int = 10) -> dict[str, str | None]:
    return {f"{name}#ü {n}": None if n in (3, 5) else f"image {n}" for n in range(count)}


def test_rows_of_every_kind_of_file_are_classified(server: FakeServer, tmp_path: Path) -> None:
    images = table()
    pa.parquet.write_table(images, tmp_path / "a.parquet", row_group_size=3)
    pa.feather.write_feather(images, str(tmp_path / "b.feather"), compression="uncompressed")
    with pa.ipc.new_stream(tmp_path / "c.arrows", images.schema) as writer:
        writer.write_table(images, max_chunksize=4)
    names = ["a.parquet", "b.feather", "c.arrows"]
    done = classify(
        server, *names, "--column", "bild", "--id-column", "id", "--format", "jsonl", "--quiet", cwd=tmp_path
    )

    assert done.returncode == 3, done.stderr
    assert labels(done.stdout) == {name: label for file in names for name, label in expected(file).items()}


def test_a_run_over_rows_is_cut_into_shards_and_goes_on(server: FakeServer, tmp_path: Path) -> None:
    pa.parquet.write_table(table(100), tmp_path / "a.parquet", row_group_size=7)
    options = ("a.parquet", "--column", "bild", "--id-column", "id", "--quiet", "--resume")
    found: dict[str, str | None] = {}
    for index in range(3):
        file = f"{index}.jsonl"
        assert classify(server, *options, "--shard", f"{index}/3", "--output", file, cwd=tmp_path).returncode in (0, 3)
        found |= (shard := labels((tmp_path / file).read_text()))
        assert 10 < len(shard) < 60
    before = len(server.requests)
    again = classify(server, *options, "--shard", "0/3", "--output", "0.jsonl", cwd=tmp_path)

    assert found == expected("a.parquet", 100)
    assert again.returncode in (0, 3)
    assert len(server.requests) == before


def test_a_column_of_paths_is_read_and_rows_are_called_by_number(server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "cat").write_bytes(b"a cat")
    pa.parquet.write_table(pa.table({"path": ["cat", "no-such"]}), tmp_path / "a.parquet")
    done = classify(server, "a.parquet", "--column", "path", "--format", "jsonl", "--quiet", cwd=tmp_path)

    assert labels(done.stdout) == {"a.parquet#0": "a cat", "a.parquet#1": None}
    assert "no-such: No such file or directory" in done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "give --column, the column with the images, one of id, bild, n"),
        (("--column", "image"), "does not have the column image: it has id, bild, n"),
        (("--column", "bild", "--id-column", "key"), "does not have the column key"),
        (("--column", "n"), "a.parquet cannot be used: the column 'n' is of type int64: images are bytes, paths"),
    ],
)
def test_wrong_columns_are_refused_with_what_is_there(
    server: FakeServer, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    pa.parquet.write_table(table(), tmp_path / "a.parquet")
    done = classify(server, "a.parquet", *options, cwd=tmp_path)

    assert done.returncode == 2
    assert words in done.stderr
    assert not server.requests


def test_a_file_that_is_no_table_is_refused(server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"text")
    done = classify(server, "a.parquet", "--column", "bild", cwd=tmp_path)

    assert done.returncode == 2
    assert "a.parquet cannot be read as a table" in done.stderr
