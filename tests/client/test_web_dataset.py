"""WebDataset's tars: keys of samples, several files of one sample, and patterns with braces."""

import collections
import json
from pathlib import Path

import pyarrow.parquet
import pytest

from client.bulk import classify, documents
from client.test_command_archives import member, packed
from hubserve.testing import FakeServer
from hubserve_cli.bulk import sources
from hubserve_cli.bulk.shards import Shard
from hubserve_cli.bulk.sources import _braces
from hubserve_cli.bulk.sources._archives import key_of


def shard(folder: Path, number: int, samples: int = 4) -> Path:
    """Return a tar of samples, each of an image, a class and a caption."""
    members = []
    for sample in range(samples):
        key = f"{number:03}{sample:03}"
        members += [member(f"{key}.jpg", f"image {key}".encode()), member(f"{key}.cls", b"3")]
        members += [member(f"{key}.json", json.dumps({"caption": "a cat"}).encode())]
    path = folder / f"images-{number:04}.tar"
    path.write_bytes(packed(*members))
    return path


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("000123.jpg", "000123"),
        ("000123.left.jpg", "000123"),
        ("n01440764/10026.jpeg", "n01440764/10026"),
        ("./a.b/c.jpg", "./a.b/c"),
        ("a.b/c", None),
        (".hidden.jpg", None),
        ("ä ö.jpg", "ä ö"),
    ],
)
def test_the_key_is_the_path_up_to_the_first_dot_of_the_name(name: str, key: str | None) -> None:
    assert key_of(name) == key


def test_results_have_the_keys_of_their_samples(tmp_path: Path) -> None:
    left_and_right = [member(f"7.{side}.png", side.encode()) for side in ("left", "right")]
    (tmp_path / "a.tar").write_bytes(packed(*left_and_right, member("7.json", b"{}"), member("8.jpg", b"one")))
    out = tmp_path / "results.parquet"
    with FakeServer() as server:
        result = classify(server, tmp_path / "a.tar")
        assert classify(server, tmp_path / "a.tar", "--output", out).exit_code == 0
    found = [(each["id"], Path(each["source"]).name) for each in documents(result.stdout_bytes)]

    assert found == [("7", "7.left.png"), ("7", "7.right.png"), ("8", "8.jpg")]
    assert "1 file left out: 1 JSON" in result.stderr
    assert pyarrow.parquet.read_table(out)["id"].to_pylist() == ["7", "7", "8"]


def test_a_key_that_two_samples_have_loses_none(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(packed(member("x.jpg", b"first"), member("x.jpg", b"second")))
    out = tmp_path / "out.jsonl"
    with FakeServer() as server:
        assert classify(server, tmp_path / "a.tar", "--output", out, "--resume").exit_code == 0
        assert classify(server, tmp_path / "a.tar", "--output", out, "--resume").exit_code == 0
    assert [each["classes"][0]["label"] for each in documents(out)] == ["first", "second"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("i-{0008..0011}.tar", ["i-0008.tar", "i-0009.tar", "i-0010.tar", "i-0011.tar"]),
        ("{3..1}", ["3", "2", "1"]),
        ("{0..10..5}", ["0", "5", "10"]),
        ("{a..c}{1,2}", ["a1", "a2", "b1", "b2", "c1", "c2"]),
        ("{train-{00..01},val-0}.tar", ["train-00.tar", "train-01.tar", "val-0.tar"]),
        ("{}", ["{}"]),
        ("{a}", ["{a}"]),
        ("{a", ["{a"]),
        ("x{y}-{1..2}", ["x{y}-1", "x{y}-2"]),
        ("{08..9}", ["08", "09"]),
    ],
)
def test_braces_are_expanded_as_bash_does(pattern: str, names: list[str]) -> None:
    assert _braces.expanded(pattern) == names


@pytest.mark.parametrize("count", [1, 2, 3, 7, 9])
def test_shards_get_whole_archives_of_a_pattern_and_the_rest_by_name(tmp_path: Path, count: int) -> None:
    for number in range(7):
        shard(tmp_path, number)
    seen: collections.Counter[str] = collections.Counter()
    for index in range(count):
        found = [
            sources.name_of(image)
            for image in sources.find([f"{tmp_path}/images-{{0000..0006}}.tar"], shard=Shard(index, count))
        ]
        seen.update(found)
        whole = [name for name, images in collections.Counter(map(folder, found)).items() if images == 4]
        assert len(whole) >= 7 // count
    assert seen == collections.Counter(
        f"{tmp_path}/images-{number:04}.tar/{number:03}{sample:03}.jpg" for number in range(7) for sample in range(4)
    )


def folder(name: str) -> str:
    return name.rpartition("/")[0]


def test_an_archive_that_a_pattern_names_must_exist(tmp_path: Path) -> None:
    shard(tmp_path, 0)
    with FakeServer() as server:
        for index in range(2):
            result = classify(server, f"{tmp_path}/images-{{0000..0001}}.tar", "--shard", f"{index}/2")
            assert result.exit_code == 2
            assert "images-0001.tar does not exist" in result.stderr
        many = classify(server, "images-{0..9999999}.tar")
        assert "stands for more than 1,000,000 names" in many.stderr


def test_a_name_with_braces_that_exists_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "{a,b}.jpg"
    path.write_bytes(b"cat")
    assert [sources.name_of(image) for image in sources.find([str(path)])] == [str(path)]
