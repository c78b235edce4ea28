"""Every format keeps every name: bytes that are not UTF-8, commas, quotes and line feeds."""

import csv
import io
import json
import os
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.bulk import classify
from hubserve import Classification, ClassScore, ImageError
from hubserve.testing import FakeServer
from hubserve_cli.bulk.records import readable, shown
from hubserve_cli.bulk.rows import Table

NAMES = [
    b"plain.jpg",
    b'comma,quote".jpg',
    b"line\r\nfeed.jpg",
    b"latin1-\xe4.jpg",
    "ümläut 猫.jpg".encode(),
    b"back\\slash.jpg",
]
CLASSES = (ClassScore(7, 'cat, "Felis"', 0.75), ClassScore(8, "dog", 0.25))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in NAMES:
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:
            file.write(b"cat")
    return folder


def test_json_lines_keep_every_name(folder: Path) -> None:
    with FakeServer() as server:
        lines = classify(server, folder).stdout_bytes
    found = [os.fsencode(Path(json.loads(line)["source"]).name) for line in lines.splitlines()]
    assert sorted(found) == sorted(NAMES)
    assert lines.decode("utf-8").count("\n") == len(NAMES)


def test_csv_keeps_every_name_and_has_the_best_class(folder: Path) -> None:
    with FakeServer() as server:
        text = classify(server, folder, "--format", "csv").stdout_bytes.decode("utf-8", "surrogateescape")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert sorted(os.fsencode(Path(row["source"]).name) for row in rows) == sorted(NAMES)
    assert {(row["status"], row["label_1"], row["score_1"], row["error"]) for row in rows} == {("0", "cat", "1.0", "")}


def test_parquet_keeps_every_name(folder: Path, tmp_path: Path) -> None:
    with FakeServer() as server:
        assert classify(server, folder, "--output", tmp_path / "r.parquet").exit_code == 0
    rows = pyarrow.parquet.read_table(tmp_path / "r.parquet").to_pylist()
    assert sorted(os.path.basename(row["source_bytes"] or row["source"].encode()) for row in rows) == sorted(NAMES)
    assert [row["labels"] for row in rows] == [["cat"]] * len(NAMES)
    assert [row["source"].rpartition("/")[2] for row in rows if row["source_bytes"]] == ["latin1-\\xe4.jpg"]


def test_a_table_has_one_line_an_image_and_no_control_characters(folder: Path) -> None:
    with FakeServer() as server:
        text = classify(server, folder, "--format", "table").stdout_bytes.decode()
    assert len(text.splitlines()) == 1 + len(NAMES)
    assert text.isprintable() or all(line.isprintable() for line in text.split("\n"))
    assert f"$'{folder}/line\\r\\nfeed.jpg'" in text
    assert f"$'{folder}/latin1-\\xe4.jpg'" in text
    assert f"{folder}/back\\slash.jpg\n" in text


@given(st.binary(max_size=30).filter(lambda name: b"\0" not in name))
def test_what_the_table_shows_is_the_name_again_in_bash(name: bytes) -> None:
    text = os.fsdecode(name)
    escaped = shown(text)
    assert escaped.isprintable()
    if escaped != text:
        plain = escaped.removeprefix("$'").removesuffix("'")
        assert os.fsencode(plain).decode("unicode_escape").encode("latin1") == name or not plain.isascii()


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.binary(max_size=20), st.sampled_from(["csv", "jsonl"]))
def test_a_record_reads_back_as_what_it_was_and_is_cut_where_it_ends(label: str, name: bytes, kind: str) -> None:
    form = readable(kind, top_k=2)
    source = os.fsdecode(name.replace(b"\0", b""))
    good = Classification(
        source=source, index=0, status=0, model_version=3, classes=(ClassScore(1, label, 0.5), CLASSES[1])
    )
    bad = Classification(source=source, index=1, exception=ImageError(f'{source}: gone\nfor ever, "so" it seems'))
    records = [form.record(result) for result in (good, bad, good)]
    pieces = list(form.pieces(io.BytesIO(b"".join(records))))
    assert pieces == records
    assert [
        (read.source, read.ok, read.error, read.model_version, read.classes) for read in map(form.read, pieces)
    ] == [
        (result.source, result.ok, result.error, result.model_version, result.classes) for result in (good, bad, good)
    ]
    for end in range(len(records[1])):
        *whole, torn = form.pieces(io.BytesIO(records[0] + records[1][:end])) if end else (records[0], b"")
        assert whole == [records[0]]
        assert not form.whole(torn)


def test_csv_has_three_columns_for_each_class() -> None:
    form = readable("csv", top_k=2)
    result = Classification(source="a,b.jpg", index=0, status=0, model_version=1, classes=CLASSES)
    assert form.header == (
        b"source,status,error,model_version,class_id_1,label_1,score_1,class_id_2,label_2,score_2\r\n"
    )
    assert form.record(result) == b'"a,b.jpg",0,,1,7,"cat, ""Felis""",0.75,8,dog,0.25\r\n'


def test_a_table_is_red_only_where_colour_is_wanted() -> None:
    bad = Classification(source="a.jpg", index=0, status=1)
    assert b"\x1b" in Table(colour=True).record(bad)
    assert b"\x1b" not in Table(colour=False).record(bad)
