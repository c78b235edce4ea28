"""A short form of `make chaos`: a run through every kind of fault ends with one right answer for each image."""

import json
from pathlib import Path

import pytest

from trust import chaos

pytestmark = pytest.mark.slow


def test_a_run_through_faults_answers_every_image_once_and_rightly(tmp_path: Path) -> None:
    outcome = chaos.run(images=1200, faults=9, seed=36, folder=tmp_path)
    assert outcome.whole, str(outcome)
    # The last may come when the run has ended already.
    assert outcome.faults.total() >= 6
    assert outcome.client_runs > 1


def test_faults_come_in_the_order_that_the_seed_makes() -> None:
    assert chaos.schedule(20_000, 80, 1) == chaos.schedule(20_000, 80, 1)
    assert chaos.schedule(20_000, 80, 1) != chaos.schedule(20_000, 80, 2)
    assert {name for _, name, _ in chaos.schedule(20_000, 80, 1)} == set(chaos.FAULTS)
    assert {name for _, name, _ in chaos.schedule(1200, 9, 36)} >= {"server killed", "server stopped", "client killed"}


@pytest.mark.parametrize(
    ("spoil", "counted"),
    [
        (lambda lines: lines[1:], "missing"),
        (lambda lines: [*lines, lines[0]], "twice"),
        (lambda lines: [lines[0].replace(b"right", b"wrong"), *lines[1:]], "wrong"),
    ],
)
def test_an_image_that_is_lost_doubled_or_mistaken_is_counted(tmp_path: Path, spoil, counted: str) -> None:
    right = {f"/{number}.png": f"right {number}" for number in range(3)}
    lines = [json.dumps({"source": path, "classes": [{"label": label}]}).encode() for path, label in right.items()]
    (tmp_path / "answers.jsonl").write_bytes(b"\n".join(spoil(lines)))
    outcome = chaos.Outcome(3)
    chaos.judge(outcome, right, tmp_path / "answers.jsonl")
    assert not outcome.whole
    assert getattr(outcome, counted) == 1
