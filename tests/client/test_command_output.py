"""`--output`: records are whole after any event, are never overwritten, and `--resume` loses and repeats nothing."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from client.bulk import classify, documents, images, sources
from hubserve.testing import FakeServer, Fault, Request
from hubserve_cli.bulk.output._file import OutputError, RecordFile
from hubserve_cli.bulk.output._resume import EarlierRun, Finished
from hubserve_cli.bulk.records import readable


def test_an_output_that_exists_is_never_written_over(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 3)
    file = tmp_path / "notes.jsonl"
    file.write_text("mine")
    with FakeServer() as server:
        result = classify(server, folder, "--output", file)
        resumed = classify(server, folder, "--output", file, "--resume")
    assert (result.exit_code, file.read_text(), server.requests) == (1, "mine", [])
    assert result.stderr == f"Error: {file} already exists: go on with --resume, or give another --output\n"
    assert (resumed.exit_code, file.read_text()) == (1, "mine")
    assert "notes.jsonl.run.json, which describes its run, does not exist" in resumed.stderr


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_torn_end_is_cut_wherever_it_was_torn_and_only_its_image_is_asked_for_again(
    tmp_path: Path, suffix: str
) -> None:
    folder = images(tmp_path / "images", 4)
    (folder / "comma, and\nfeed.jpg").write_bytes(b"image")
    file = tmp_path / f"results.{suffix}"
    with FakeServer() as server:
        assert classify(server, folder, "--output", file, "--resume").exit_code == 0
        whole = file.read_bytes()
        form = readable(suffix, top_k=1)
        ends = [0]
        with file.open("rb") as written:
            for piece in form.pieces(written):
                ends.append(ends[-1] + len(piece))
        # Any place is found...
        for length in range(len(whole)):
            file.write_bytes(whole[:length])
            assert EarlierRun.read(file, form).end == max(end for end in ends if end <= length)
        # ... and a run goes on from it.
        for length in (0, 1, ends[2] - 1, ends[2], ends[3] + 5):
            file.write_bytes(whole[:length])
            server.requests.clear()
            result = classify(server, folder, "--output", file, "--resume")
            assert (result.exit_code, file.read_bytes()) == (0, whole)
            left = len(ends) - 1 - sum(0 < end <= length for end in ends)
            asked = [image for request in server.requests for image in request.images]
            assert len(asked) == left - (suffix == "csv" and length < ends[1])


def test_a_run_that_is_done_asks_for_nothing_more_and_one_that_has_more_images_asks_for_those(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 5)
    file = tmp_path / "r.jsonl"
    with FakeServer() as server:
        classify(server, folder, "--output", file, "--resume")
        server.requests.clear()
        again = classify(server, folder, "--output", file, "--resume")
        assert (again.exit_code, server.requests) == (0, [])
        assert again.stderr.startswith("5 of 5 images were classified")
        (folder / "0000a.jpg").write_bytes(b"new")
        (folder / "0003.jpg").unlink()
        assert classify(server, folder, "--output", file, "--resume").exit_code == 0
        assert [request.images for request in server.requests] == [(b"new",)]
    assert len(set(sources(file))) == 6


def test_an_image_that_is_named_twice_has_two_records(tmp_path: Path) -> None:
    (name,) = images(tmp_path / "images", 1).iterdir()
    file = tmp_path / "r.jsonl"
    with FakeServer() as server:
        for _ in range(2):
            classify(server, name, name, name, "--output", file, "--resume")
            assert sources(file) == [str(name)] * 3
            file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
        classify(server, name, name, name, "--output", file, "--resume")
    assert sources(file) == [str(name)] * 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--top-k", "1"], "top_k None, now 1"),
        (["--shard", "1/2"], "shard '0/1', now '1/2'"),
        (["--version", "3"], "version None, now 3"),
        (["--format", "csv"], "format 'jsonl', now 'csv'"),
    ],
)
def test_another_run_does_not_go_on_with_it(tmp_path: Path, options: list[str], says: str) -> None:
    folder = images(tmp_path / "images", 3)
    file = tmp_path / "r.jsonl"
    with FakeServer() as server:
        classify(server, folder, "--output", file, "--resume")
        before = file.read_bytes()
        result = classify(server, folder, "--output", file, "--resume", *options)
    assert (result.exit_code, says in result.stderr, file.read_bytes()) == (1, True, before), result.stderr


def test_answers_of_another_version_are_not_mixed_in(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 3)
    file = tmp_path / "r.jsonl"
    with FakeServer(version=1) as server:
        classify(server, folder, "--output", file)
    before = file.read_bytes()
    (folder / "new.jpg").write_bytes(b"new")
    with FakeServer(version=2) as server:
        result = classify(server, folder, "--output", file, "--resume")
    assert (result.exit_code, file.read_bytes()) == (1, before)
    assert "holds answers of version 1 of the model, and the server answers with version 2" in result.stderr


@pytest.mark.parametrize("damage", [b"\0\0\0\0\n", b'{"source": 1}\n', b"[]\n", b"\xff\xfe\n", b"\n"])
def test_a_damaged_file_is_an_error_that_changes_nothing(tmp_path: Path, damage: bytes) -> None:
    folder = images(tmp_path / "images", 3)
    file = tmp_path / "r.jsonl"
    with FakeServer() as server:
        classify(server, folder, "--output", file)
        first, *rest = file.read_bytes().splitlines(keepends=True)
        damaged = first + damage + b"".join(rest)
        file.write_bytes(damaged)
        result = classify(server, folder, "--output", file, "--resume")
    assert (result.exit_code, file.read_bytes()) == (1, damaged)
    assert f"{file} is damaged: record 2 cannot be read" in result.stderr


def test_a_damaged_run_file_is_an_error_that_changes_nothing(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 3)
    file = tmp_path / "r.jsonl"
    with FakeServer() as server:
        classify(server, folder, "--output", file)
        before = file.read_bytes()
        (tmp_path / "r.jsonl.run.json").write_text("{}")
        result = classify(server, folder, "--output", file, "--resume")
    assert (result.exit_code, file.read_bytes()) == (1, before)
    assert "r.jsonl.run.json is damaged" in result.stderr


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "r.jsonl", None)
    with pytest.raises(OutputError, match=r"another run is writing .*r\.jsonl"):
        RecordFile(tmp_path / "r.jsonl", 0)
    file.close()
    RecordFile(tmp_path / "r.jsonl", 0).close()


def test_a_full_disk_keeps_whole_records_and_a_later_run_goes_on(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 300)
    file = tmp_path / "r.jsonl"
    room = 20_000
    with FakeServer() as server:
        common = ["classify", str(folder), "--server", server.target, "--model", "m", "--output", str(file), "--resume"]
        limited = subprocess.run(
            [sys.executable, "-m", "hubserve", *common],
            capture_output=True,
            text=True,
            check=False,
            # Coverage could not write its own file either, and would say so.
            env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
            # The nearest to a full disk that one process can have for itself: EFBIG in place of ENOSPC.
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        )
        assert (limited.returncode, "Traceback" in limited.stderr) == (1, False), limited.stderr
        kept = documents(file)
        assert f"{file} cannot be written any further (File too large): its records are whole" in limited.stderr
        assert 0 < len(kept) < 300
        assert file.stat().st_size > room - 300
        asked = len(server.requests)
        assert classify(server, folder, "--output", file, "--resume").exit_code == 0
        again = sum(len(request.images) for request in server.requests[asked:])
    assert again == 300 - len(kept)
    assert sorted(sources(file)) == sorted(map(str, folder.iterdir()))


def test_a_full_disk_behind_the_run_file_is_one_sentence(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 2)
    with FakeServer() as server:
        result = classify(server, folder, "--output", tmp_path / "nowhere" / "r.jsonl")
    assert (result.exit_code, result.stderr.count("\n"), server.requests) == (1, 1, [])
    assert "cannot be written (No such file or directory)" in result.stderr


def test_an_image_without_an_answer_gets_its_record_from_a_later_run(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 40)
    (folder / "empty.jpg").touch()
    file = tmp_path / "r.jsonl"
    with FakeServer() as server:
        server.then(None, *[Fault("INTERNAL", "it broke")] * 2)
        first = classify(server, folder, "--batch-size", 10, "--concurrency", 1, "--output", file)
        assert (first.exit_code, len(documents(file))) == (1, 31)
        assert "Error: 10 images got no answer from the server\n" in first.stderr
        assert f"Go on with: hubserve classify {folder} " in first.stderr
        assert first.stderr.rstrip().endswith("--resume")
        second = classify(server, folder, "--batch-size", 10, "--output", file, "--resume")
    assert second.exit_code == 3
    assert second.stderr.startswith("10 of 10 images classified in ")
    assert "With earlier runs: 40 of 41 images classified\n" in second.stderr
    assert sorted(sources(file)) == sorted(map(str, folder.iterdir()))


def test_a_million_names_are_few_bytes_each() -> None:
    finished = Finished()
    for number in range(20_000):
        finished.add(f"photographs/{number:07}.jpg")
    assert all(finished.take(f"photographs/{number:07}.jpg") for number in range(0, 20_000, 7))
    assert not finished.take("photographs/0000007.jpg")
    assert not finished.take("photographs/another.jpg")
    held = (
        finished._digests.buffer_info()[1] * 8 + finished._high.nbytes + finished._low.nbytes + finished._taken.nbytes
    )
    assert held < 45 * 20_000


class TestParquet:
    def test_it_appears_whole_at_the_end_and_a_run_that_stopped_goes_on(self, tmp_path: Path) -> None:
        folder = images(tmp_path / "images", 40)
        file = tmp_path / "r.parquet"
        with FakeServer(lambda image: 1 if image == b"image 3" else {"cat": 0.5, "dog": 0.25}) as server:
            server.then(None, *[Fault("INTERNAL", "it broke")] * 2)
            first = classify(server, folder, "--batch-size", 10, "--concurrency", 1, "--output", file)
            assert (first.exit_code, file.exists()) == (1, False)
            assert len(documents(tmp_path / "r.parquet.jsonl")) == 30
            assert classify(server, folder, "--output", file).exit_code == 1
            assert classify(server, folder, "--output", file, "--resume").exit_code == 3
            server.requests.clear()
            done = classify(server, folder, "--output", file, "--resume")
        assert (done.exit_code, server.requests) == (3, [])
        assert done.stderr.startswith("39 of 40 images were classified")
        assert sorted(os.listdir(tmp_path)) == ["images", "r.parquet", "r.parquet.run.json"]
        table = pyarrow.parquet.read_table(file)
        assert sorted(table["source"].to_pylist()) == sorted(map(str, folder.iterdir()))
        bad = next(row for row in table.to_pylist() if row["status"] == 1)
        assert (bad["source"], bad["labels"]) == (str(folder / "0003.jpg"), [])
        good = next(row for row in table.to_pylist() if row["status"] == 0)
        assert (good["labels"], good["scores"], good["class_ids"]) == (["cat", "dog"], [0.5, 0.25], [0, 1])

    def test_a_file_that_is_not_parquet_is_left_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "r.parquet"
        folder = images(tmp_path / "images", 2)
        with FakeServer() as server:
            classify(server, folder, "--output", file)
            file.write_text("mine")
            result = classify(server, folder, "--output", file, "--resume")
        assert (result.exit_code, file.read_text()) == (1, "mine")
        assert "is not a Parquet file that hubserve wrote" in result.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--resume"], "--resume goes on with a file: give --output too."),
        (["--format", "parquet"], "Parquet needs a file: give --output too."),
        (["--format", "table", "--output", "x"], "A table is for reading"),
    ],
)
def test_what_cannot_be_had_is_wrong_usage(tmp_path: Path, options: list[str], says: str) -> None:
    with FakeServer() as server:
        result = classify(server, images(tmp_path / "images", 1), *options)
    assert (result.exit_code, says in result.stderr, server.requests) == (2, True, [])


def test_a_million_paths_of_which_some_vanish(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 200)

    def vanish(_: Request) -> None:
        for number in range(150, 200, 10):
            (folder / f"{number:04}.jpg").unlink(missing_ok=True)

    names = sorted(map(str, folder.iterdir()))
    listed = "\0".join(names).encode()
    file = tmp_path / "r.jsonl"
    with FakeServer(before=vanish) as server:
        result = classify(server, "-", "--null", "--batch-size", 10, "--output", file, stdin=listed)
    assert (result.exit_code, sources(file)) == (3, names)
    gone = [document for document in documents(file) if document["error"]]
    assert [Path(document["source"]).name for document in gone] == [
        f"{number:04}.jpg" for number in range(150, 200, 10)
    ]
    assert "5 not classified, 0 without an answer:" in result.stderr
    assert "        5  No such file or directory: check that it can be read" in result.stderr


class TestRunFile:
    def test_a_finished_run_leaves_its_output_and_nothing_else(self, tmp_path: Path) -> None:
        folder = images(tmp_path / "images", 3)
        with FakeServer() as server:
            for name in ("r.jsonl", "r.csv", "r.parquet"):
                assert classify(server, folder, "--output", tmp_path / name).exit_code == 0
        assert sorted(os.listdir(tmp_path)) == ["images", "r.csv", "r.jsonl", "r.parquet"]

    def test_a_run_that_is_not_finished_keeps_it(self, tmp_path: Path) -> None:
        folder = images(tmp_path / "images", 3)
        with FakeServer() as server:
            server.then(None, *[Fault("INTERNAL", "it broke")] * 2)
            options = ["--batch-size", 1, "--concurrency", 1, "--output", tmp_path / "r.jsonl"]
            assert classify(server, folder, *options).exit_code == 1
        assert (tmp_path / "r.jsonl.run.json").exists()

    def test_new_images_are_added_to_the_file_of_a_finished_run_with_a_notice(self, tmp_path: Path) -> None:
        folder = images(tmp_path / "images", 3)
        file = tmp_path / "r.jsonl"
        with FakeServer() as server:
            classify(server, folder, "--output", file)
            images(folder, 4)
            again = classify(server, folder, "--output", file, "--resume")
        assert (again.exit_code, len(documents(file))) == (0, 4)
        assert (
            "r.jsonl is from a finished run, and does not name its model: answers of model m are added" in again.stderr
        )

    def test_answers_of_a_model_with_other_labels_are_not_added(self, tmp_path: Path) -> None:
        folder = images(tmp_path / "images", 3)
        file = tmp_path / "r.csv"
        with FakeServer(lambda _: {"cat": 0.5}) as server:
            classify(server, folder, "--output", file)
        images(folder, 4)
        with FakeServer(lambda _: {"dog": 0.5}) as server:
            again = classify(server, folder, "--output", file, "--resume")
        assert (again.exit_code, file.read_bytes().count(b"\r\n")) == (1, 4)
        assert "holds answers of another model: its class 0 is 'cat', and that of this server is 'dog'" in again.stderr

    @pytest.mark.parametrize("text", ["", "mine", '{"source": "a.jpg"'])
    def test_a_file_of_another_program_is_left_alone(self, tmp_path: Path, text: str) -> None:
        folder = images(tmp_path / "images", 3)
        file = tmp_path / "r.jsonl"
        file.write_text(text)
        with FakeServer() as server:
            resumed = classify(server, folder, "--output", file, "--resume")
        assert (resumed.exit_code, file.read_text()) == ((0, file.read_text()) if not text else (1, text))
