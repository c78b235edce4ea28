"""The scripted servers of `make bench-engines`: what they count outlives a kill."""

import time
from pathlib import Path

import engine_servers
from hubserve import Client


def test_counts_and_times_outlive_a_server_that_is_killed(tmp_path: Path) -> None:
    began = time.monotonic()
    pool = engine_servers.Pool(0.0, tmp_path / "counts")
    try:
        with Client(pool.targets.split(",")[0], model="m") as client:
            results = list(client.classify([b"image 1|", b"corrupt", b"image 2|"]))
        pool.kill(0)
        killed = time.monotonic()
        up = pool.seconds_up(began, killed)
        with_one_less = pool.seconds_up(began, killed + 10) - up
        pool.restart(0)
        with Client(pool.targets.split(",")[0], model="m") as client:
            list(client.classify([b"image 3|"]))
        counted = pool.counts.all
    finally:
        pool.close()
    over = time.monotonic()

    assert [result.classes[0].label if result.classes else None for result in results] == ["image 1", None, "image 2"]
    assert counted == engine_servers.Counts(tmp_path / "counts").all == 4
    assert 0 < up <= engine_servers.SERVERS * (killed - began)
    assert round(with_one_less) == 10 * (engine_servers.SERVERS - 1)
    assert pool.seconds_up(over, over + 10) == 0
