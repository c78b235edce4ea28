"""A short form of the second part of `make chaos`: a run over a network that fails ends with each image once."""

from pathlib import Path

import pytest

from trust import network
from trust.packets import _connection

pytestmark = pytest.mark.slow

FRAME = bytes(12) + b"\x08\x00" + b"\x45" + bytes(8) + b"\x06" + bytes(2)


def test_a_run_over_a_network_that_fails_answers_every_image_once_and_rightly(tmp_path: Path) -> None:
    if reason := network.missing():
        pytest.skip(reason)
    # The others last longer.
    faults = ["packets lost", "packets delayed and reordered", "packets cut off", "server replaced unseen"]
    outcome = network.run(images=1000, faults=faults, folder=tmp_path, lasts=1.0)

    assert outcome.whole, str(outcome)
    assert set(outcome.faults) >= set(faults[:3])
    assert outcome.packets["lost"] > 0
    assert outcome.packets["delayed"] > 0


def test_a_run_whose_server_restarts_for_as_long_as_it_lasts_answers_every_image_once(tmp_path: Path) -> None:
    if reason := network.missing():
        pytest.skip(reason)
    outcome = network.run(images=600, faults=[], folder=tmp_path, restart_every=2.0)

    assert outcome.whole, str(outcome)
    assert sum(outcome.faults.values()) >= 1


def test_every_kind_of_fault_comes_as_often_as_the_others() -> None:
    found = network.schedule(14, 1)
    assert {found.count(name) for name in network.FAULTS} == {2}
    assert found == network.schedule(14, 1) != network.schedule(14, 2)


def test_both_directions_of_a_connection_are_known_as_one() -> None:
    there = FRAME + b"\x0a\x00\x00\x01\x0a\x00\x00\x02" + b"\x13\x88\x21\x34"
    back = FRAME + b"\x0a\x00\x00\x02\x0a\x00\x00\x01" + b"\x21\x34\x13\x88"
    other = FRAME + b"\x0a\x00\x00\x01\x0a\x00\x00\x02" + b"\x13\x89\x21\x34"

    assert _connection(there) == _connection(back) != _connection(other)
    assert _connection(b"\xff" * 60) is None
