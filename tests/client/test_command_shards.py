"""`--shard I/N`: every image is in exactly one shard, and in the same one on every machine."""

import itertools
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.bulk import classify, images, sources
from hubserve.testing import FakeServer
from hubserve_cli.bulk.shards import Shard, from_environment

NAMES = st.text(st.characters(codec=None), max_size=40)


@given(st.lists(NAMES, max_size=30), st.integers(1, 12))
def test_shards_together_are_all_images_and_no_two_share_one(names: list[str], count: int) -> None:
    shards = [Shard(index, count) for index in range(count)]
    assert all(sum(shard.has(name) for shard in shards) == 1 for name in names)


def test_a_name_is_in_the_same_shard_for_ever() -> None:
    names = ["photographs/cat.jpg", "photographs/dog.jpg", "s3://bucket/ä.png", "latin1-\udce4.jpg"]
    assert [next(index for index in range(8) if Shard(index, 8).has(name)) for name in names] == [6, 7, 2, 7]


def test_shards_are_of_about_one_size() -> None:
    sizes = [sum(Shard(index, 8).has(f"{number:07}.jpg") for number in range(8000)) for index in range(8)]
    assert min(sizes) > 850
    assert max(sizes) < 1150


def test_runs_over_all_shards_classify_each_image_once(tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 60)
    with FakeServer() as server:
        by_hand = [sources(classify(server, folder, "--shard", f"{index}/3").stdout_bytes) for index in range(3)]
        pods = [{"JOB_COMPLETION_INDEX": str(index), "JOB_COMPLETIONS": "3"} for index in range(3)]
        by_kubernetes = [sources(classify(server, folder, **pod).stdout_bytes) for pod in pods]
    assert by_hand == by_kubernetes
    assert sorted(itertools.chain(*by_hand)) == sorted(map(str, folder.iterdir()))
    assert all(by_hand)


def test_a_pod_that_does_not_know_how_many_there_are_does_nothing() -> None:
    with pytest.raises(click.UsageError, match="set it to the Job's completions, or give --shard"):
        from_environment({"JOB_COMPLETION_INDEX": "0"})
    assert from_environment({}) == Shard(0, 1)


@pytest.mark.parametrize("shard", ["8/8", "1", "-1/8", "1/0", "a/b", "²/3"])
def test_a_text_that_is_not_a_shard_is_wrong_usage(tmp_path: Path, shard: str) -> None:
    with FakeServer() as server:
        result = classify(server, tmp_path, "--shard", shard)
    assert (result.exit_code, "is not a shard: 0/8 is the first of eight" in result.stderr) == (2, True)
