"""`hubserve classify --output FOLDER/`: parts of a data set that appear whole, shard by shard."""

import collections
import json
import threading
from pathlib import Path

import pyarrow.dataset
import pyarrow.parquet
import pytest

from client.bulk import classify, images
from hubserve.testing import FakeServer, Fault, Request
from hubserve_cli.bulk.output import _parquet, _parts


def rows(folder: Path) -> list[dict[str, object]]:
    """Return the rows that a reader of data sets finds in the folder."""
    return pyarrow.dataset.dataset(folder, format="parquet").to_table().to_pylist()


def found(folder: Path) -> collections.Counter[object]:
    return collections.Counter(row["source"] for row in rows(folder))


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def once(folder: Path) -> collections.Counter[object]:
    return collections.Counter(map(str, folder.iterdir()))


def test_shards_write_into_one_folder_and_the_last_one_says_so(tmp_path: Path) -> None:
    given, out = images(tmp_path / "images", 25), tmp_path / "out"
    with FakeServer() as server:
        for index in range(2):
            result = classify(server, given, "--output", f"{out}/", "--shard", f"{index}/2", "--part-rows", "5")
            assert result.exit_code == 0, result.stderr
            assert ("_SUCCESS" in names(out)) == (index == 1)
    first = [
        row["source"] for row in pyarrow.parquet.read_table(out / "part-00000-of-00002-000000.parquet").to_pylist()
    ]

    assert found(out) == once(given)
    assert len(first) == 5
    assert first == sorted(first)
    assert names(out)[:3] == ["_SUCCESS", "_part-00000-of-00002.run.json", "_part-00001-of-00002.run.json"]
    assert names(out)[3:] == [
        f"part-{index:05}-of-00002-{number:06}.parquet"
        for index in range(2)
        for number in range(len([name for name in names(out) if name.startswith(f"part-{index:05}")]))
    ]


def test_a_run_that_ended_goes_on_with_the_rows_that_are_in_no_part(tmp_path: Path) -> None:
    given, out = images(tmp_path / "images", 12), tmp_path / "out"
    asked = []

    def before(request: Request) -> None:
        asked.append(request)
        if len(asked) == 4:
            raise Fault("PERMISSION_DENIED", "not now")

    options = (given, "--output", f"{out}/", "--part-rows", "5", "--batch-size", "2", "--concurrency", "1", "--resume")
    with FakeServer(before=before) as server:
        stopped = classify(server, *options)
        assert stopped.exit_code == 1
        assert len(rows(out)) == 5
        assert "_part-00000-of-00001-000001.jsonl" in names(out)
        asked.clear()
        asked.extend([None] * 10)
        result = classify(server, *options)

    assert result.exit_code == 0, result.stderr
    assert found(out) == once(given)
    assert names(out) == [
        "_SUCCESS",
        "_part-00000-of-00001.run.json",
        *(f"part-00000-of-00001-{number:06}.parquet" for number in range(3)),
    ]


@pytest.mark.parametrize("step", ["before the rename", "after the rename", "between two parts"])
def test_a_kill_around_the_commit_of_a_part_loses_and_doubles_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        """As SIGKILL: nothing is done after it."""

    given, out = images(tmp_path / "images", 12), tmp_path / "out"
    options = (given, "--output", f"{out}/", "--part-rows", "5", "--resume")
    convert, unlink = _parquet.convert, Path.unlink

    def converted(*arguments: object) -> None:
        if step == "before the rename":
            (out / ".part-00000-of-00001-000000.parquet.1.tmp").write_bytes(b"PAR1 torn")
            raise Killed
        convert(*arguments)  # type: ignore[arg-type]
        if step == "after the rename":
            raise Killed

    def unlinked(path: Path, **options: bool) -> None:
        unlink(path, **options)
        if step == "between two parts" and path.suffix == ".jsonl":
            raise Killed

    with FakeServer() as server:
        with monkeypatch.context() as patched:
            patched.setattr(_parts._parquet, "convert", converted)
            patched.setattr(Path, "unlink", unlinked)
            with pytest.raises(Killed):
                classify(server, *options)
        assert len(rows(out)) == (0 if step == "before the rename" else 5)
        result = classify(server, *options)

    assert result.exit_code == 0, result.stderr
    assert found(out) == once(given)
    assert not [name for name in names(out) if name.endswith((".tmp", ".jsonl"))]


def test_a_reader_reads_the_folder_at_any_time_of_a_run(tmp_path: Path) -> None:
    given, out = images(tmp_path / "images", 200), tmp_path / "out"
    read: list[int] = []
    over = threading.Event()

    def reader() -> None:
        while not over.is_set():
            if out.exists():
                found_now = found(out)
                assert not [name for name, count in found_now.items() if count > 1]
                read.append(sum(found_now.values()))

    thread = threading.Thread(target=reader)
    with FakeServer() as server:
        thread.start()
        result = classify(server, given, "--output", f"{out}/", "--part-rows", "7", "--batch-size", "4")
        over.set()
        thread.join()

    assert result.exit_code == 0, result.stderr
    assert read == sorted(read)
    assert found(out) == once(given)


def test_a_finished_folder_takes_new_images_and_classifies_failures_again(tmp_path: Path) -> None:
    given, out = images(tmp_path / "images", 12), tmp_path / "out"
    bad = {"3", "7", "11"}
    options = (given, "--output", f"{out}/", "--part-rows", "4", "--resume")
    with FakeServer(lambda data: 1 if data.split()[-1].decode() in bad else {"a": 1.0}) as server:
        assert classify(server, *options).exit_code == 3
        bad.clear()
        (given / "new.jpg").write_bytes(b"image 12")
        assert classify(server, *options).exit_code == 3
        assert len([row for row in rows(out) if row["error"]]) == 3
        sent = len(server.requests)
        result = classify(server, *options, "--retry-failed", "--batch-size", "1")
        assert len(server.requests) == sent + 3

    assert result.exit_code == 0, result.stderr
    assert found(out) == once(given)
    assert not [row for row in rows(out) if row["error"]]
    assert "_SUCCESS" in names(out)


def test_images_of_one_name_stay_apart(tmp_path: Path) -> None:
    """Check two rows with one id: the record of the second does not stand for the first, which was not classified."""
    table, out = tmp_path / "a.parquet", tmp_path / "out"
    pyarrow.parquet.write_table(pyarrow.table({"id": ["x", "x", "y"], "image": [b"bad", b"good", b"fine"]}), table)
    bad = {b"bad"}
    for output in (f"{out}/", str(tmp_path / "out.jsonl")):
        bad.add(b"bad")
        options = (table, "--column", "image", "--id-column", "id", "--output", output, "--resume")
        with FakeServer(lambda data: 1 if data in bad else {data.decode(): 1.0}) as server:
            assert classify(server, *options).exit_code == 3
            bad.clear()
            assert classify(server, *options, "--retry-failed").exit_code == 0
        if output.endswith("/"):
            read = sorted((row["id"], row["labels"][0]) for row in rows(out))
        else:
            records = map(json.loads, Path(output).read_text().splitlines())
            read = sorted((record["id"], record["classes"][0]["label"]) for record in records)
        assert read == [("x", "bad"), ("x", "good"), ("y", "fine")]


@pytest.mark.parametrize(
    ("before", "options", "words"),
    [
        ((), (), "already holds results of shard 0/1: go on with --resume"),
        (("--shard", "0/1"), ("--shard", "0/2"), "holds results of 1 shards, and this run has 2: give --shard I/1"),
        ((), ("--resume", "--top-k", "2"), "is from another run (top_k None, now 2)"),
        (("--shard", "0/2"), ("--shard", "1/2", "--top-k", "2"), "is from another run (top_k None, now 2)"),
        ((), ("--format", "jsonl"), "is a folder, which holds Parquet files: leave --format jsonl out"),
    ],
)
def test_a_folder_is_for_one_run(tmp_path: Path, before: tuple[str, ...], options: tuple[str, ...], words: str) -> None:
    given, out = images(tmp_path / "images", 3), tmp_path / "out"
    with FakeServer() as server:
        assert classify(server, given, "--output", f"{out}/", *before).exit_code == 0
        here = names(out)
        result = classify(server, given, "--output", f"{out}/", *options)

    assert result.exit_code in (1, 2)
    assert words in result.stderr
    assert names(out) == here


def test_other_files_are_refused_and_kept(tmp_path: Path) -> None:
    given = images(tmp_path / "images", 3)
    with FakeServer() as server:
        result = classify(server, given, "--output", f"{given}/")
        assert "holds 0000.jpg, which is not a part of results: give --output a folder of its own" in result.stderr
        url = classify(server, given, "--output", "s3://bucket/results/")
        assert "results are written on this machine" in url.stderr
    assert (result.exit_code, url.exit_code, server.requests) == (1, 2, [])
    assert len(names(given)) == 3


def test_two_runs_of_one_shard_do_not_write_at_once(tmp_path: Path) -> None:
    given, out = images(tmp_path / "images", 8), tmp_path / "out"
    inside = []

    def before(_: Request) -> None:
        if not inside:
            inside.append(1)
            with FakeServer() as other:
                inside.append(classify(other, given, "--output", f"{out}/", "--resume"))

    with FakeServer(before=before) as server:
        result = classify(server, given, "--output", f"{out}/", "--resume")

    assert result.exit_code == 0
    assert inside[1].exit_code == 1
    assert "another run is writing" in inside[1].stderr
    assert found(out) == once(given)
